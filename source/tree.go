package source

// slot is where a value that was found is put: the fields, and what GeoJSON has besides.
const (
	slotFeature  = iota + int(numFields) // type of the record
	slotGeometry                         // type of its geometry
	slotID                               // stands in for the vehicle
	slotHeight                           // stands in for the altitude
	numSlots
	noSlot = -1
)

// node is a member of a JSON record on the way to a mapped field. Immutable.
type node struct {
	name     string
	slot     int // noSlot: only a way to others
	children []*node
	// loose members that are not mapped are not kept.
	loose bool
	// open members are kept as if they were the parent's own.
	open bool
}

func newNode(name string) *node { return &node{name: name, slot: noSlot} }

// child finds a member, nil: it is not mapped.
func (n *node) child(name []byte) *node {
	for _, c := range n.children {
		if c.name == string(name) {
			return c
		}
	}
	return nil
}

// at finds or makes a child.
func (n *node) at(name string) *node {
	if c := n.child([]byte(name)); c != nil {
		return c
	}
	c := newNode(name)
	n.children = append(n.children, c)
	return c
}

// plant maps each field to its path, or to its own name.
func (n *node) plant(from origins) {
	for f := range from {
		path := from[f].path
		if path == nil {
			path = fieldNames[f : f+1]
		}
		leaf := n
		for _, name := range path {
			leaf = leaf.at(name)
		}
		if leaf.slot == noSlot || from[f].path != nil { // a name that was given wins over another field's default
			leaf.slot = f
		}
	}
}

func jsonTree(from origins) *node {
	root := newNode("")
	root.plant(from)
	return root
}

// geojsonTree is a Feature with a Point: the mapping is of its properties, the place is its geometry unless it is mapped.
func geojsonTree(from origins) *node {
	root := newNode("")
	root.at("type").slot = slotFeature
	root.at("id").slot = slotID
	root.at("bbox").loose = true
	geometry := root.at("geometry")
	geometry.loose = true
	geometry.at("type").slot = slotGeometry
	properties := root.at("properties")
	properties.open = true
	properties.plant(from)
	coordinates := geometry.at("coordinates")
	coordinates.loose = true
	for i, f := range []int{int(fieldLongitude), int(fieldLatitude), slotHeight} {
		if f == slotHeight || from[f].path == nil {
			coordinates.at([]string{"0", "1", "2"}[i]).slot = f
		}
	}
	for _, f := range []field{fieldLongitude, fieldLatitude} {
		if from[f].path == nil { // a property of that name is an attribute
			properties.drop(fieldNames[f])
		}
	}
	return root
}

func (n *node) drop(name string) {
	for i, c := range n.children {
		if c.name == name && len(c.children) == 0 {
			n.children = append(n.children[:i], n.children[i+1:]...)
			return
		}
	}
}
