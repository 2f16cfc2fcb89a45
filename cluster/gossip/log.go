package gossip

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// every is how often the same trouble is told again.
const every = time.Minute

// bridge turns memberlist's own lines into records: what it does in the course of a day is debugging, what a person must mend is
// an error that says how. memberlist has no error values for these, only text.
type bridge struct {
	logger *slog.Logger

	mu   sync.Mutex
	told map[string]time.Time // by trouble
}

// trouble is a line that a person must act on, found by a part of it.
type trouble struct{ part, message, do string }

var troubles = []trouble{
	{"No installed keys could decrypt", "gossip with another key refused", sameKeys},
	{"encryption is not configured", "encrypted gossip refused: this node has no key", sameKeys},
	{"is not encrypted", "gossip without encryption refused: this node has a key", sameKeys},
	{"unacceptable label", "gossip of another cluster refused", sameGroup},
	{"Binding to public address without encryption", "gossip is not encrypted and its address is public", "set --gossip-key-file, or listen on a private address"},
	{"network may be misconfigured", "a member answers by TCP but not by UDP", "let UDP through to its gossip port as well"},
}

const (
	sameKeys  = "give all nodes the same --gossip-key-file"
	sameGroup = "nodes of one cluster have the same --group; clusters that share machines need gossip ports or seeds of their own"
)

// explain is what an error of joining means, "" when memberlist's own words must do.
func explain(err error) string {
	for _, t := range troubles[:4] {
		if containsFold(err.Error(), t.part) {
			return t.message + ": " + t.do
		}
	}
	if strings.HasSuffix(err.Error(), "EOF") || strings.Contains(err.Error(), "reset by peer") {
		return "it hung up without a word, as a node of another cluster does: " + sameGroup
	}
	return ""
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// Write takes one line.
func (b *bridge) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	for _, t := range troubles {
		if containsFold(text, t.part) {
			if b.first(t.part) {
				b.logger.Error("gossip trouble", "what", t.message, "what_to_do", t.do, "detail", plain(text))
			}
			return len(line), nil
		}
	}
	b.logger.Log(context.Background(), level(text), "gossip", "detail", plain(text))
	return len(line), nil
}

// first says whether this was not told within the last minute.
func (b *bridge) first(what string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.told[what]) < every {
		return false
	}
	b.told[what] = time.Now()
	return true
}

// level: what memberlist calls an error is mostly a packet that did not reach a node which is dying, and Gossip tells of deaths.
func level(text string) slog.Level {
	if strings.HasPrefix(text, "[WARN]") && !strings.Contains(text, "unexpected node") {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// plain is the line without level and name.
func plain(text string) string {
	if _, rest, ok := strings.Cut(text, "] "); ok && strings.HasPrefix(text, "[") {
		text = rest
	}
	return strings.TrimPrefix(text, "memberlist: ")
}
