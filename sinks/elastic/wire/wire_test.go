package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The fast way must say what the slow one does, whatever the body.
func FuzzTimesOfOurs(f *testing.F) {
	f.Add([]byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","vehicle":"a","source":{"topic":"p"},"ingested_at":"2026-03-01T12:00:00.700Z","lag_ms":700}`))
	f.Add([]byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","a":{"b":1,"ingested_at":"2026-03-01T12:00:00.000Z","lag_ms":5}}`))
	f.Add([]byte(`{"@timestamp":"2026-03-01T12:00:00.000Z","a\\","ingested_at":"2026-03-01T12:00:00.000Z","lag_ms":5}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		at, ingested, ok := timesOfOurs(body)
		var members map[string]json.RawMessage
		if !ok || json.Unmarshal(body, &members) != nil {
			return
		}
		dec := json.NewDecoder(strings.NewReader(string(body)))
		_, err := dec.Token()
		require.NoError(t, err)
		seen := map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			require.NoError(t, err)
			var value json.RawMessage
			require.NoError(t, dec.Decode(&value))
			if seen[key.(string)] {
				return // said twice: either may count
			}
			seen[key.(string)] = true
		}
		require.Equal(t, at.Format(`"`+timeLayout+`"`), string(members["@timestamp"]))
		require.Equal(t, ingested.Format(`"`+timeLayout+`"`), string(members["ingested_at"]))
	})
}

func FuzzItems(f *testing.F) {
	for _, seed := range []string{
		`{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":409}}]}`,
		`{"items":[{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"r","caused_by":{"reason":"c"}}}},{"create":{"status":429}}]}`,
		`{"items":[{"create":{"status":404,"error":"text"}},{}]}`, `{"items":null}`, `{"error":{"type":"t","reason":"r"},"status":429}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		calls := 0
		n, err := Items(bytes.NewReader(reply), func(n int, _ Item) {
			require.Equal(t, calls, n)
			calls++
		})
		require.Equal(t, calls, n)
		if err == nil {
			require.True(t, json.Valid(reply) || n == 0)
		}
		_, _ = Refusal(reply)
	})
}
