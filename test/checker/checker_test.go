package checker

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func outcome() Outcome {
	return Outcome{
		Documents: [][]byte{[]byte(`{"vehicle":"v1","odometer_metres":1,"source":{"offset":1}}`), []byte(`{"vehicle":"v1","odometer_metres":2,"source":{"offset":2}}`)},
		Events:    [][]byte{[]byte(`{"id":"x-0-1","type":"enter","sequence":1,"evidence":{"after":{"offset":1,"time":"t"}}}`)},
		Dead:      []Dead{{"unparsable", "x"}},
		IDs:       []string{"a", "b", "x-0-1"},
	}
}

func TestCheckerAcceptsTheSameWithOtherOffsets(t *testing.T) {
	t.Parallel()
	other := outcome()
	other.Documents[0] = []byte(`{"odometer_metres":1,"vehicle":"v1","source":{"offset":77}}`)
	other.Events[0] = bytes.ReplaceAll(other.Events[0], []byte(`"offset":1`), []byte(`"offset":9`))
	require.Empty(t, Check(outcome(), other))
}

func TestCheckerFailsOnOneDroppedDoubledOrChanged(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(*Outcome){
		"document dropped": func(o *Outcome) { o.Documents = o.Documents[:1] },
		"document doubled": func(o *Outcome) { o.Documents = append(o.Documents, o.Documents[0]) },
		"document changed": func(o *Outcome) { o.Documents[1] = []byte(`{"vehicle":"v1","odometer_metres":2.001}`) },
		"event dropped":    func(o *Outcome) { o.Events = nil },
		"event doubled":    func(o *Outcome) { o.Events = append(o.Events, o.Events[0]) },
		"event changed": func(o *Outcome) {
			o.Events[0] = bytes.Replace(o.Events[0], []byte(`"sequence":1`), []byte(`"sequence":2`), 1)
		},
		"dead letter dropped": func(o *Outcome) { o.Dead = nil },
		"dead letter doubled": func(o *Outcome) { o.Dead = append(o.Dead, o.Dead[0]) },
		"id given twice":      func(o *Outcome) { o.IDs = append(o.IDs, "a") },
	} {
		harmed := outcome()
		harm(&harmed)
		require.NotEmpty(t, Check(outcome(), harmed), name)
	}
}

func TestLoadIsTheSameForASeedAndHasEverythingInIt(t *testing.T) {
	t.Parallel()
	a, b := Load(7, 20, 200), Load(7, 20, 200)
	require.Equal(t, a, b)
	require.NotEqual(t, a[:100], Load(8, 20, 200)[:100])
	require.Greater(t, len(a), 3000)
}
