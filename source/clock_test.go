package source

import (
	"strconv"
	"testing"
	"time"
	_ "time/tzdata" // a machine may have no zones

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTimesAreReadInAllTheirForms(t *testing.T) {
	t.Parallel()
	at := func(s string) int64 {
		parsed, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return parsed.UnixMilli()
	}
	for text, want := range map[string]int64{
		"0": 0, "1767600000": 1767600000000, "1767600000000": 1767600000000, "99999999999": 99999999999000, "100000000000": 100000000000,
		"1767600000.123": 1767600000123, "1767600000123.9": 1767600000123, "-1": -1000, "1.7676e9": 1767600000000, " 1767600000 ": 1767600000000,
		"1767600000000000": maxTime, "2026-01-05T08:00:00Z": at("2026-01-05T08:00:00Z"), "2026-01-05t08:00:00.5z": at("2026-01-05T08:00:00.5Z"),
		"2026-01-05T03:00:00-05:00": at("2026-01-05T08:00:00Z"), "2026-01-05 13:30:00+0530": at("2026-01-05T08:00:00Z"), "2026-01-05 09:00:00 +01": at("2026-01-05T08:00:00Z"),
		"2026-01-05 08:00:00 UTC": at("2026-01-05T08:00:00Z"), "2024-02-29T00:00:00,123456Z": at("2024-02-29T00:00:00.123Z"),
	} {
		c := &Clock{}
		got, ok := c.Read([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "yesterday", "2026-01-05T08:00:00", "2026-01-05 08:00:00", "2026-13-05T08:00:00Z", "2026-02-29T08:00:00Z", "2026-01-05T24:00:00Z", "2026-01-05T08:00:00.Z",
		"2026-01-05T08:00:00+1", "2026-01-05T08:00:00+25:00", "2026-01-05T08:00:00 CET", "1e300", "-1e15", "0x10", "1_000", "inf", "NaN", "2026-01-05", "1.2.3",
	} {
		c := &Clock{}
		_, ok := c.Read([]byte(text))
		require.False(t, ok, text)
	}
}

func TestTaxiTimesFollowNewYorksSummer(t *testing.T) {
	t.Parallel()
	c, err := NewClock(Options{Format: FormatTaxi})
	require.NoError(t, err)
	for text, want := range map[string]string{
		"2013-01-01 00:00:01": "2013-01-01T05:00:01Z", "2013-07-01 12:00:00": "2013-07-01T16:00:00Z", "2013-03-10 01:59:59": "2013-03-10T06:59:59Z",
		"2013-03-10 03:00:00": "2013-03-10T07:00:00Z", "2013-11-03 03:00:00": "2013-11-03T08:00:00Z", "2013-07-01 12:00:00Z": "2013-07-01T12:00:00Z",
		"1372680000": "2013-07-01T12:00:00Z",
	} {
		got, ok := c.Read([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, time.UnixMilli(got).UTC().Format(time.RFC3339), text)
	}
}

func TestALayoutIsTriedFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		opts Options
		text string
		want int64
	}{
		{Options{TimeLayout: "20060102150405-0700"}, "20260105090000+0100", 1767600000000},
		{Options{TimeLayout: "20060102150405", TimeZone: "Europe/Berlin"}, "20260105090000", 1767600000000},
		{Options{TimeLayout: "20060102150405", TimeZone: "Europe/Berlin"}, "1767600000", 1767600000000},
		{Options{TimeLayout: "2006-01-02 15:04 MST", TimeZone: "Europe/Berlin"}, "2026-01-05 09:00 CET", 1767600000000},
	} {
		clock, err := NewClock(c.opts)
		require.NoError(t, err)
		got, ok := clock.Read([]byte(c.text))
		require.True(t, ok, c.text)
		require.Equal(t, c.want, got, c.text)
	}
	clock, err := NewClock(Options{TimeLayout: "2006-01-02 15:04 MST", TimeZone: "Europe/Berlin"})
	require.NoError(t, err)
	_, ok := clock.Read([]byte("2026-01-05 09:00 XYZ"))
	require.False(t, ok, "package time would take an unknown zone for UTC")
}

func TestWhatIsRewrittenIsReadBack(t *testing.T) {
	t.Parallel()
	zoned, err := NewClock(Options{TimeZone: "America/New_York"})
	require.NoError(t, err)
	texts := []string{
		"1767600000", "1767600000.5", "1767600000000", "2026-01-05T08:00:00Z", "2026-01-05 08:00:00.25", "2026-01-05T08:00:00,123456+05:30", "2026-01-05 08:00:00 -0800",
	}
	rapid.Check(t, func(t *rapid.T) {
		// From 2001 on numbers of milliseconds are not taken for seconds; New York's doubled hours are left out.
		at := rapid.Int64Range(1e12, 4e12).Draw(t, "at")
		at = at - at%86_400_000 + 43_200_000 + rapid.Int64Range(0, 999_999).Draw(t, "after noon")
		text := rapid.SampledFrom(texts).Draw(t, "text")
		out := zoned.Rewrite([]byte(text), at, true)
		got, ok := zoned.Read(out)
		require.True(t, ok, "%s", out)
		require.Equal(t, at, got, "%s like %s", out, text)
		coarse, ok := zoned.Read(zoned.Rewrite([]byte(text), at, false))
		require.True(t, ok)
		require.InDelta(t, at, coarse, 1000)
	})
}

func FuzzClock(f *testing.F) {
	for _, s := range []string{"1767600000.5", "2026-01-05T08:00:00.1Z", "2026-01-05 08:00:00 +0100", "9999-12-31T23:59:60+23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := &Clock{zone: time.UTC}
		at, ok := c.Read([]byte(s))
		if !ok {
			return
		}
		require.GreaterOrEqual(t, at, int64(minTime))
		_ = c.Rewrite([]byte(s), at, true)
		if want, err := time.Parse(time.RFC3339Nano, s); err == nil {
			require.Equal(t, want.UnixMilli(), at, s)
		}
	})
}

func FuzzParseFloat(f *testing.F) {
	for _, s := range []string{"1", "-73.968073", "1e5", ".5", "5.", "-", "", "9007199254740993", "0.1234567890123456789", "00012"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseFloat([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		if ok && err == nil {
			require.InDelta(t, want, got, 0, s)
		}
		if err == nil && !ok {
			require.Regexp(t, `(?i)[xpn_i]`, s, "a plain number is read")
		}
	})
}
