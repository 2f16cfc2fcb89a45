package sqlite

import (
	"testing"

	"github.com/trackmesh/trackmesh/history/historytest"
)

func TestHistory(t *testing.T) {
	historytest.Run(t, func(t *testing.T) historytest.Subject {
		s := open(t, Options{})
		return historytest.Subject{Writer: s, Store: s}
	})
}
