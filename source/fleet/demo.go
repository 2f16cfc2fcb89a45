package fleet

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/trackmesh/trackmesh/geo"
)

//go:embed data/new-york.geojson
var outlines []byte

// Fence is an outline of the demo.
type Fence struct {
	ID      string // airport-jfk, borough-bronx and so on
	Feature []byte // GeoJSON with id, properties.name and geometry
}

// DemoFences are four airports and the five boroughs of New York.
func DemoFences() []Fence {
	all := parsedOutlines()
	fences := make([]Fence, len(all))
	for i, o := range all {
		fences[i] = Fence{o.id, append([]byte(nil), o.feature...)}
	}
	return fences
}

// outline is a Feature of the embedded file.
type outline struct {
	id       string
	feature  []byte
	polygons [][][]geo.Point
}

var parsedOutlines = sync.OnceValue(func() []outline {
	var file struct{ Features []json.RawMessage }
	mustParse(outlines, &file)
	all := make([]outline, len(file.Features))
	for i, raw := range file.Features {
		var f struct {
			ID       string
			Geometry struct {
				Type        string
				Coordinates json.RawMessage
			}
		}
		mustParse(raw, &f)
		var polygons [][][][2]float64
		if f.Geometry.Type == "Polygon" {
			polygons = make([][][][2]float64, 1)
			mustParse(f.Geometry.Coordinates, &polygons[0])
		} else {
			mustParse(f.Geometry.Coordinates, &polygons)
		}
		all[i] = outline{f.ID, raw, points(polygons)}
	}
	return all
})

// mustParse reads what was compiled in: that it cannot be read is a bug of ours.
func mustParse(raw []byte, into any) {
	if err := json.Unmarshal(raw, into); err != nil {
		panic(fmt.Sprintf("fleet: the embedded outlines: %v", err))
	}
}

func points(polygons [][][][2]float64) [][][]geo.Point {
	out := make([][][]geo.Point, len(polygons))
	for i, rings := range polygons {
		for _, ring := range rings {
			r := make([]geo.Point, len(ring))
			for k, c := range ring {
				r[k] = geo.Point{Lon: c[0], Lat: c[1]}
			}
			out[i] = append(out[i], r)
		}
	}
	return out
}
