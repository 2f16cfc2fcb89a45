package fence_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trackmesh/trackmesh/fence"
)

// scheduled is a fence with a schedule, as JSON.
func scheduled(t require.TestingT, schedule string) *fence.Fence {
	f, err := fence.Parse("f", []byte(`{"type":"Feature","geometry":{"type":"Point","coordinates":[0,0]},`+
		`"properties":{"radius_metres":100,"schedule":`+schedule+`}}`), 1)
	require.NoError(t, err)
	return f
}

func millis(t require.TestingT, s string) int64 {
	at, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return at.UnixMilli()
}

func TestSchedulesChangeWhenTheirTextSays(t *testing.T) {
	const daily = `["mon","tue","wed","thu","fri","sat","sun"]`
	weekly := func(zone, days, from, to string) string {
		return fmt.Sprintf(`{"zone":%q,"weekly":[{"days":%s,"from":%q,"to":%q}]}`, zone, days, from, to)
	}
	tests := map[string]struct {
		schedule, from string
		open           bool
		changes        []string // alternately
	}{
		"inclusive start, exclusive end":  {weekly("UTC", `["mon"]`, "09:30", "09:40"), "2026-01-05T09:30:00Z", true, []string{"2026-01-05T09:40:00Z", "2026-01-12T09:30:00Z"}},
		"just before the end":             {weekly("UTC", `["mon"]`, "09:30", "09:40"), "2026-01-05T09:39:59Z", true, []string{"2026-01-05T09:40:00Z"}},
		"at the end":                      {weekly("UTC", `["mon"]`, "09:30", "09:40"), "2026-01-05T09:40:00Z", false, []string{"2026-01-12T09:30:00Z"}},
		"over midnight":                   {weekly("Europe/Berlin", `["mon"]`, "22:00", "06:00"), "2026-01-05T12:00:00Z", false, []string{"2026-01-05T21:00:00Z", "2026-01-06T05:00:00Z"}},
		"same time is a whole day":        {weekly("UTC", `["mon"]`, "06:00", "06:00"), "2026-01-05T00:00:00Z", false, []string{"2026-01-05T06:00:00Z", "2026-01-06T06:00:00Z"}},
		"24:00":                           {weekly("UTC", `["sun"]`, "00:00", "24:00"), "2026-01-04T00:00:00Z", true, []string{"2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z"}},
		"days in a row join":              {weekly("UTC", `["mon","tue"]`, "00:00", "24:00"), "2026-01-05T00:00:00Z", true, []string{"2026-01-07T00:00:00Z", "2026-01-12T00:00:00Z"}},
		"always":                          {weekly("America/New_York", daily, "00:00", "00:00"), "2026-01-05T00:00:00Z", true, nil},
		"always, from inside a lost hour": {weekly("America/New_York", daily, "02:30", "02:30"), "2026-03-08T00:00:00Z", true, nil},
		// 8 March 2026: 02:00 EST is 03:00 EDT. 1 November 2026: 02:00 EDT is 01:00 EST.
		"start in the lost hour":    {weekly("America/New_York", `["sun"]`, "02:30", "04:00"), "2026-03-07T12:00:00Z", false, []string{"2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z", "2026-03-15T06:30:00Z"}},
		"end in the lost hour":      {weekly("America/New_York", daily, "01:30", "02:30"), "2026-03-08T00:00:00Z", false, []string{"2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T05:30:00Z"}},
		"wholly in the lost hour":   {weekly("America/New_York", `["sun"]`, "02:15", "02:45"), "2026-03-07T00:00:00Z", false, []string{"2026-03-15T06:15:00Z", "2026-03-15T06:45:00Z"}},
		"round the lost hour":       {weekly("America/New_York", daily, "01:30", "03:30"), "2026-03-08T00:00:00Z", false, []string{"2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"}},
		"start in the doubled hour": {weekly("America/New_York", `["sun"]`, "01:30", "04:00"), "2026-11-01T00:00:00Z", false, []string{"2026-11-01T05:30:00Z", "2026-11-01T09:00:00Z"}},
		"end in the doubled hour":   {weekly("America/New_York", `["sun"]`, "00:30", "01:30"), "2026-11-01T00:00:00Z", false, []string{"2026-11-01T04:30:00Z", "2026-11-01T06:30:00Z"}},
		"both in the doubled hour":  {weekly("America/New_York", `["sun"]`, "01:15", "01:45"), "2026-11-01T00:00:00Z", false, []string{"2026-11-01T05:15:00Z", "2026-11-01T06:45:00Z"}},
		"dates are whole days":      {`{"zone":"America/New_York","dates":[{"from":"2026-03-08","to":"2026-03-08"}]}`, "2026-03-01T00:00:00Z", false, []string{"2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"}},
		"dates long ahead":          {`{"zone":"UTC","dates":[{"from":"2030-12-24","to":"2031-01-01"}]}`, "2026-03-01T00:00:00Z", false, []string{"2030-12-24T00:00:00Z", "2031-01-02T00:00:00Z"}},
		"dates long ago":            {`{"zone":"UTC","dates":[{"from":"2020-12-24","to":"2021-01-01"}]}`, "2026-03-01T00:00:00Z", false, nil},
		"dates in a row join":       {`{"zone":"UTC","dates":[{"from":"2026-01-02","to":"2026-01-02"},{"from":"2026-01-01","to":"2026-01-01"}]}`, "2025-12-01T00:00:00Z", false, []string{"2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"}},
		"years of dates":            {`{"zone":"UTC","dates":[{"from":"2020-01-01","to":"2029-12-31"}]}`, "2026-01-01T00:00:00Z", true, []string{"2030-01-01T00:00:00Z"}},
		"union of hours and dates":  {`{"zone":"UTC","weekly":[{"days":["mon"],"from":"20:00","to":"23:00"},{"days":["mon"],"from":"22:00","to":"02:00"}],"dates":[{"from":"2026-01-06","to":"2026-01-06"}]}`, "2026-01-05T12:00:00Z", false, []string{"2026-01-05T20:00:00Z", "2026-01-07T00:00:00Z", "2026-01-12T20:00:00Z", "2026-01-13T02:00:00Z"}},
		"a day that a zone skipped": {weekly("Pacific/Apia", `["fri"]`, "08:00", "10:00"), "2011-12-24T00:00:00Z", false, []string{"2012-01-05T18:00:00Z", "2012-01-05T20:00:00Z"}},
		"midnight doubled":          {`{"zone":"Atlantic/Azores","dates":[{"from":"2026-10-24","to":"2026-10-24"},{"from":"2026-10-25","to":"2026-10-25"}]}`, "2026-10-01T00:00:00Z", false, []string{"2026-10-24T00:00:00Z", "2026-10-26T01:00:00Z"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := scheduled(t, tt.schedule)
			at, open := millis(t, tt.from), tt.open
			require.Equal(t, open, f.Open(at))
			for _, want := range tt.changes {
				next, opens, ok := f.NextChange(at)
				require.True(t, ok)
				require.Equal(t, want, time.UnixMilli(next).UTC().Format(time.RFC3339))
				require.Equal(t, !open, opens)
				require.Equal(t, open, f.Open(next-1))
				require.Equal(t, opens, f.Open(next))
				at, open = next, opens
			}
			if tt.changes == nil {
				_, _, ok := f.NextChange(at)
				require.False(t, ok)
			}
		})
	}
}

func TestAFenceWithoutAScheduleIsAlwaysOpen(t *testing.T) {
	f, err := fence.Parse("f", circleFeature(newYork, 100), 1)
	require.NoError(t, err)
	require.True(t, f.Open(0))
	_, _, ok := f.NextChange(0)
	require.False(t, ok)
}

// openByHand asks of each minute by its local clock, the slow way, away from changes of the clock.
func openByHand(at time.Time, days [7]bool, from, to int) bool {
	minute := at.Hour()*60 + at.Minute()
	today, yesterday := days[at.Weekday()], days[(at.Weekday()+6)%7]
	if from < to {
		return today && minute >= from && minute < to
	}
	return today && minute >= from || yesterday && minute < to
}

func TestOpenAgreesWithTheLocalClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"}).Draw(t, "zone")
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		from, to := rapid.IntRange(0, 1439).Draw(t, "from"), rapid.IntRange(0, 1439).Draw(t, "to")
		var days [7]bool
		var list []string
		for i, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
			if days[i] = rapid.Bool().Draw(t, name); days[i] {
				list = append(list, `"`+name+`"`)
			}
		}
		if len(list) == 0 {
			return
		}
		f := scheduled(t, fmt.Sprintf(`{"zone":%q,"weekly":[{"days":[%s],"from":"%02d:%02d","to":"%02d:%02d"}]}`,
			zone, strings.Join(list, ","), from/60, from%60, to/60, to%60))
		for range 30 {
			at := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "at"), 0).In(loc)
			start, end := at.ZoneBounds()
			if at.Sub(start) < 50*time.Hour || !end.IsZero() && end.Sub(at) < 50*time.Hour {
				continue
			}
			require.Equal(t, openByHand(at, days, from, to), f.Open(at.UnixMilli()), "%v", at)
			if next, opens, ok := f.NextChange(at.UnixMilli()); ok {
				require.Greater(t, next, at.UnixMilli())
				require.Equal(t, opens, f.Open(next))
				require.NotEqual(t, opens, f.Open(next-1))
				require.NotEqual(t, opens, f.Open(at.UnixMilli()), "nothing changes in between")
			}
		}
	})
}

func BenchmarkScheduleOpen(b *testing.B) {
	f := scheduled(b, `{"zone":"America/New_York","weekly":[{"days":["mon","tue"],"from":"22:00","to":"06:00"}]}`)
	at := millis(b, "2026-01-05T12:00:00Z")
	b.ReportAllocs()
	for b.Loop() {
		f.Open(at)
		at += 1000
	}
}
