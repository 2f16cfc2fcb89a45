package geo

// MaxVertices is the most that one shape may have.
const MaxVertices = 10_000

// Polygons is a polygon or several, with holes.
type Polygons struct{ box Box }

func NewPolygons(c Coordinates) (*Polygons, error)          { return &Polygons{}, nil }
func (s *Polygons) Contains(q *Query) bool                  { return false }
func (s *Polygons) OutsideBy(q *Query, metres float64) bool { return false }
func (s *Polygons) Traverse(a, b Point) Traversal           { return Traversal{} }
func (s *Polygons) Box() Box                                { return s.box }

type Buffer struct{ box Box }

func NewCircle(c Point, r float64) *Buffer                 { return &Buffer{} }
func NewCorridor(line []Point, w float64) (*Buffer, error) { return &Buffer{}, nil }
func (s *Buffer) Contains(q *Query) bool                   { return false }
func (s *Buffer) OutsideBy(q *Query, metres float64) bool  { return false }
func (s *Buffer) Traverse(a, b Point) Traversal            { return Traversal{} }
func (s *Buffer) Box() Box                                 { return s.box }
