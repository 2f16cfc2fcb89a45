package playback

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// taxiFile is a file in the taxi layout: so many taxis drive round a circle, a fix each second, without a header line. Rows are
// long and short by turns. It ends without a line break.
func taxiFile(taxis, seconds int, start time.Time) string {
	var rows []string
	for s := range seconds {
		at := start.Add(time.Duration(s) * time.Second).Format("2006-01-02 15:04:05")
		for taxi := range taxis {
			sin, cos := math.Sincos(float64(s)/40 + float64(taxi))
			row := fmt.Sprintf("%d,%s,%.6f,%.6f", taxi, at, -73.97+0.01*cos, 40.76+0.01*sin)
			if s%2 == 0 {
				row += fmt.Sprintf(",1,%d,6.21,%d,M%04d,H%04d,VTS,2,,%s,%s,-73.98,40.76,-73.97,40.75", s, s, taxi, taxi, at, at)
			}
			rows = append(rows, row)
		}
	}
	return strings.Join(rows, "\n")
}
