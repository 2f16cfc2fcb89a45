package playback

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/source"
)

// recorder keeps what was sent and when.
type recorder struct {
	begun  time.Time
	groups []group
	fail   error
	ends   func(sent int) // called after each group
}

type group struct {
	after time.Duration
	lines []Line
}

func (r *recorder) Send(_ context.Context, lines []Line) error {
	if r.fail != nil {
		return r.fail
	}
	if r.begun.IsZero() {
		r.begun = time.Now()
	}
	r.groups = append(r.groups, group{time.Since(r.begun), lines})
	if r.ends != nil {
		r.ends(len(r.groups))
	}
	return nil
}

func (r *recorder) text() (all []string) {
	for _, g := range r.groups {
		for _, l := range g.lines {
			all = append(all, string(l.Value))
		}
	}
	return all
}

func write(tb testing.TB, name, body string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	require.NoError(tb, os.WriteFile(path, []byte(body), 0o600))
	return path
}

// play runs a playback in a bubble of time.
func play(t *testing.T, o Options, r *recorder) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, newErr := New(o, r)
		require.NoError(t, newErr)
		err = p.Run(t.Context())
	})
	return err
}

var summer = time.Date(2013, 7, 1, 12, 0, 0, 0, time.UTC)

var taxi = source.Options{Format: source.FormatTaxi}

func TestAConstantRateSendsSoManyLinesEachInterval(t *testing.T) {
	t.Parallel()
	body := taxiFile(2, 25, summer)
	r := &recorder{}
	var last Progress
	require.NoError(t, play(t, Options{
		Path: write(t, "f.csv", body), Source: taxi, Rate: 20, Every: time.Second, Progress: func(p Progress) { last = p },
	}, r))
	require.Equal(t, strings.Split(body, "\n"), r.text())
	require.Len(t, r.groups, 3)
	for i, g := range r.groups {
		require.Equal(t, time.Duration(i)*time.Second, g.after)
	}
	require.Len(t, r.groups[2].lines, 10)
	require.Equal(t, 41, r.groups[2].lines[0].Number)
	require.Equal(t, "text/csv; layout=taxi", r.groups[0].lines[0].ContentType)
	require.Equal(t, Progress{Lines: 50, BytesRead: int64(len(body)), BytesAll: int64(len(body)), Round: 1}, last)
}

func TestByTimeSendsTheLinesOfOneTimeTogether(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	require.NoError(t, play(t, Options{Path: write(t, "f.csv", taxiFile(3, 5, summer)), Source: taxi, ByTime: true, Step: 3 * time.Second}, r))
	require.Len(t, r.groups, 5)
	for i, g := range r.groups {
		require.Len(t, g.lines, 3)
		require.Equal(t, time.Duration(i)*3*time.Second, g.after)
	}
}

func TestByTimeAtASpeedKeepsTheFilesOwnPace(t *testing.T) {
	t.Parallel()
	body := "a,2013-07-01 12:00:00,1,1\na,2013-07-01 12:01:00,1,1\nb,2013-07-01 12:01:00,1,1\na,2013-07-01 12:00:30,1,1\na,2013-07-01 13:00:30,1,1\n"
	r := &recorder{}
	require.NoError(t, play(t, Options{Path: write(t, "f.csv", body), Source: taxi, ByTime: true, Speed: 60}, r))
	var after []time.Duration
	for _, g := range r.groups {
		after = append(after, g.after)
	}
	require.Equal(t, []time.Duration{0, time.Second, time.Second, 61 * time.Second}, after)
}

func TestRewrittenTimesKeepTheirLayout(t *testing.T) {
	t.Parallel()
	// A bubble's clock begins at midnight of 1 January 2000, UTC: 19:00 of the day before in New York.
	for name, c := range map[string]struct {
		opts       source.Options
		body, want string
	}{
		"taxi":        {taxi, "a,2013-07-01 12:00:00,1,1,x", "a,1999-12-31 19:00:00,1,1,x"},
		"quoted":      {taxi, `"a,b","2013-07-01 12:00:00",1,1`, `"a,b","1999-12-31 19:00:00",1,1`},
		"zoned":       {taxi, "a,2013-07-01T12:00:00.250+02:00,1,1", "a,2000-01-01T02:00:00.000+02:00,1,1"},
		"csv":         {source.Options{Format: "csv"}, "a,1767600000,1,1", "a,946684800,1,1"},
		"csv number":  {source.Options{Format: "csv", Map: []string{"time=3"}}, "a,1,1767600000000", "a,1,946684800000"},
		"csv header":  {source.Options{Format: "csv", Header: true, Map: []string{"time=at"}}, "vehicle,x,at\na,1,2013-07-01T12:00:00Z", "a,1,2000-01-01T00:00:00Z"},
		"json":        {source.Options{Format: "json"}, `{"x":{"time":1},"time": 1767600000.25 ,"vehicle":"a"}`, `{"x":{"time":1},"time": 946684800.00 ,"vehicle":"a"}`},
		"json text":   {source.Options{Format: "json"}, `{"time":"2013-07-01T12:00:00Z"}`, `{"time":"2000-01-01T00:00:00Z"}`},
		"json path":   {source.Options{Format: "json", Map: []string{"time=fix.at"}}, `{"at":1,"fix":{"at":"1767600000"}}`, `{"at":1,"fix":{"at":"946684800"}}`},
		"json layout": {source.Options{Format: "json", TimeLayout: "02.01.2006 15:04", TimeZone: "Europe/Berlin"}, `{"time":"01.07.2013 12:00"}`, `{"time":"01.01.2000 01:00"}`},
		"geojson":     {source.Options{Format: "geojson"}, `{"type":"Feature","properties":{"time":1767600000000}}`, `{"type":"Feature","properties":{"time":946684800000}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			require.NoError(t, play(t, Options{Path: write(t, "f", c.body), Source: c.opts, ByTime: true, Step: time.Second, RewriteTime: true}, r))
			require.Equal(t, []string{c.want}, r.text())
		})
	}
}

func TestLinesThatAreSentTogetherGetTimesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	body := strings.Repeat("a,2013-07-01 12:00:00,1,1\n", 8)
	require.NoError(t, play(t, Options{Path: write(t, "f", body), Source: taxi, Rate: 4, Every: time.Second, RewriteTime: true}, r))
	clock, err := source.NewClock(taxi)
	require.NoError(t, err)
	var times []int64
	for _, l := range r.text() {
		at, ok := clock.Read([]byte(strings.Split(l, ",")[1]))
		require.True(t, ok, l)
		times = append(times, at-946684800000)
	}
	require.Equal(t, []int64{-750, -500, -250, 0, 250, 500, 750, 1000}, times)
}

func TestALoopGoesOnUntilItIsStopped(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"rate": {Rate: 2, Every: time.Second}, "step": {ByTime: true, Step: time.Second}, "speed": {ByTime: true, Speed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Path, o.Source, o.Loop = write(t, "f", taxiFile(1, 1, summer)), taxi, true
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				r := &recorder{ends: func(sent int) {
					if sent == 4 {
						cancel()
					}
				}}
				var last Progress
				o.Progress = func(p Progress) { last = p }
				p, err := New(o, r)
				require.NoError(t, err)
				require.ErrorIs(t, p.Run(ctx), context.Canceled)
				require.Len(t, r.groups, 4)
				require.Equal(t, 3*time.Second, r.groups[3].after, "no round begins at once")
				require.Equal(t, 4, last.Round)
			})
		})
	}
}

func TestACompressedFileIsRead(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	body := taxiFile(1, 10, summer)
	_, err := w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r := &recorder{}
	require.NoError(t, play(t, Options{Path: write(t, "f.gz", packed.String()), Source: taxi}, r))
	require.Equal(t, strings.Split(body, "\n"), r.text())
}

func TestErrorsNameTheFileAndTheLine(t *testing.T) {
	t.Parallel()
	good := "a,2013-07-01 12:00:00,1,1\n"
	for name, c := range map[string]struct {
		body   string
		opts   Options
		r      recorder
		suffix string
	}{
		"empty":      {"", Options{}, recorder{}, ": there is no line in it"},
		"time":       {good + "a,noon,1,1\n", Options{ByTime: true, Step: 1}, recorder{}, `:2: its time cannot be read: "noon"`},
		"no time":    {good + "\na\n", Options{ByTime: true, Step: 1}, recorder{}, ":3: it has no time"},
		"rewrite":    {good + "a,noon,1,1\n", Options{RewriteTime: true}, recorder{}, ":2: it has no time that could be rewritten"},
		"too long":   {good + strings.Repeat("x", source.MaxLineBytes+5), Options{}, recorder{}, ":2: it is longer than"},
		"sending":    {good, Options{}, recorder{fail: errors.New("no")}, ":1: sending: no"},
		"torn array": {`[{"time":1},{`, Options{Source: source.Options{Format: "json"}}, recorder{}, ":2: after element 1 the body is no JSON"},
		"torn gzip":  {"\x1f\x8b\x08", Options{}, recorder{}, ": unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.opts.Path = write(t, "the-file", c.body)
			if c.opts.Source.Format == "" {
				c.opts.Source = taxi
			}
			require.ErrorContains(t, play(t, c.opts, &c.r), "the-file"+c.suffix)
		})
	}
	p, err := New(Options{Path: "nowhere", Source: taxi}, &recorder{})
	require.NoError(t, err)
	require.ErrorIs(t, p.Run(t.Context()), os.ErrNotExist)
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		r := &recorder{}
		p, err := New(Options{Path: write(t, "f", taxiFile(1, 10, summer)), Source: taxi, ByTime: true, Step: time.Hour}, r)
		require.NoError(t, err)
		begun := time.Now()
		require.ErrorIs(t, p.Run(ctx), context.DeadlineExceeded)
		require.Equal(t, 90*time.Minute, time.Since(begun))
		require.Len(t, r.groups, 2)
	})
}

func TestBadOptionsAreAllReported(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Source: source.Options{Format: "xml"}, ByTime: true, Rate: 3}, nil)
	for _, want := range []string{"no file", "--format", "--step or --speed", "--rate and --every"} {
		require.ErrorContains(t, err, want)
	}
	_, err = New(Options{Path: "x", Source: source.Options{Format: "protobuf"}, Step: -1}, nil)
	for _, want := range []string{"protobuf", "go with --by-time", "below zero"} {
		require.ErrorContains(t, err, want)
	}
	_, err = New(Options{Path: "x", Source: source.Options{Format: "csv", Map: []string{"time=at"}}}, nil)
	require.ErrorContains(t, err, "column's number")
}

func FuzzTimeFinder(f *testing.F) {
	f.Add([]byte(`a,"2013-07-01 12:00:00",1`), false)
	f.Add([]byte(`"a""b",1`), false)
	f.Add([]byte(`{"a":1,"time":"2013-07-01T12:00:00Z","time":3}`), true)
	f.Fuzz(func(t *testing.T, line []byte, object bool) {
		o := source.Options{Format: source.FormatTaxi}
		if object {
			o.Format = source.FormatJSON
		}
		finder, err := newTimeFinder(o)
		require.NoError(t, err)
		from, to, ok := finder.find(line, "")
		if ok {
			require.True(t, 0 <= from && from <= to && to <= len(line), "%d %d %q", from, to, line)
		}
	})
}
