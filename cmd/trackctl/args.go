package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// coordinate reads longitude,latitude.
func coordinate(s string) (string, error) {
	s = strings.TrimSpace(s)
	parts := strings.Split(s, ",")
	if len(parts) != 2 {
		return "", fmt.Errorf("%q is no place: write it as longitude,latitude, such as -73.98,40.75", s)
	}
	for i, limit := range []float64{180, 90} {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		if err != nil || !(v >= -limit && v <= limit) {
			return "", fmt.Errorf("%q is no place: longitude is from -180 to 180, latitude from -90 to 90, in this order", s)
		}
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts[0] + "," + parts[1], nil
}

// query gathers parameters from flags that were given.
type query struct {
	values url.Values
	now    func() time.Time
}

func (a *app) query() *query { return &query{values: url.Values{}, now: a.now} }

func (q *query) set(name, value string) {
	if value != "" {
		q.values.Set(name, strings.TrimSpace(value))
	}
}

// moment takes RFC 3339, epoch milliseconds, or an age.
func (q *query) moment(name, value string) {
	if value == "" {
		return
	}
	if age, err := time.ParseDuration(value); err == nil && strings.ContainsAny(value, "hms") {
		value = q.now().Add(-age.Abs()).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	q.values.Set(name, value)
}

// span is the flags --from and --to.
type span struct{ from, to string }

func (s *span) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.from, "from", "", "not before: a time, or an age such as 2h")
	cmd.Flags().StringVar(&s.to, "to", "", "before: a time, or an age such as 30m")
}

func (s *span) into(q *query) {
	q.moment("from", s.from)
	q.moment("to", s.to)
}

// fileArg opens a file, or stdin for "-".
func (a *app) fileArg(name string) (in fileInput, err error) {
	if name == "-" {
		return fileInput{Reader: a.in, name: "standard input", size: -1, close: func() error { return nil }}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return in, err
	}
	in = fileInput{Reader: f, name: name, size: -1, close: f.Close}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		in.size = info.Size()
	}
	return in, nil
}
