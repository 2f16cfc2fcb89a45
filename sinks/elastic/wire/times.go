package wire

import (
	"time"

	"github.com/go-faster/jx"
)

// Times reads a document's @timestamp and ingested_at; the latter is otherwise where there is none. A time that cannot be
// read is zero.
func Times(body []byte, otherwise time.Time) (at, ingested time.Time) {
	if at, ingested, ok := timesOfOurs(body); ok {
		return at, ingested
	}
	ingested = otherwise
	dec := jx.GetDecoder()
	defer jx.PutDecoder(dec)
	dec.ResetBytes(body)
	_ = dec.ObjBytes(func(dec *jx.Decoder, key []byte) error { // what cannot be read is Elasticsearch's to refuse
		switch string(key) {
		case "@timestamp":
			return readTime(dec, &at)
		case "ingested_at":
			return readTime(dec, &ingested)
		default:
			return dec.Skip()
		}
	})
	return at, ingested
}

const (
	timeLayout = "2006-01-02T15:04:05.000Z"
	head       = `{"@timestamp":"`
	ingestedAt = `,"ingested_at":"`
	lag        = `","lag_ms":`
)

// timesOfOurs reads the times of a position as track writes it, from both ends, ten times faster than what is between could
// be passed over. Valid JSON that ends like this has these members in its outermost object: its last brace closes that.
func timesOfOurs(body []byte) (at, ingested time.Time, ok bool) {
	if len(body) <= len(head)+len(timeLayout) || string(body[:len(head)]) != head || body[len(head)+len(timeLayout)] != '"' || body[len(body)-1] != '}' {
		return at, ingested, false
	}
	end := len(body) - 1
	for end > 0 && (body[end-1] >= '0' && body[end-1] <= '9' || body[end-1] == '-') {
		end--
	}
	start := end - len(lag) - len(timeLayout) - len(ingestedAt)
	if start < 0 || string(body[start:start+len(ingestedAt)]) != ingestedAt || string(body[end-len(lag):end]) != lag {
		return at, ingested, false
	}
	at, ok = parseOurs(body[len(head) : len(head)+len(timeLayout)])
	if !ok {
		return at, ingested, false
	}
	ingested, ok = parseOurs(body[start+len(ingestedAt) : end-len(lag)])
	return at, ingested, ok
}

// parseOurs reads timeLayout to the letter: time.Parse alone would take a comma for the point and hours of one digit.
func parseOurs(text []byte) (time.Time, bool) {
	for _, at := range [...]int{4, 7, 10, 13, 16, 19, 23} {
		if text[at] != timeLayout[at] {
			return time.Time{}, false
		}
	}
	t, err := time.Parse(timeLayout, string(text))
	return t, err == nil
}

func readTime(dec *jx.Decoder, into *time.Time) error {
	if dec.Next() != jx.String {
		return dec.Skip()
	}
	text, err := dec.StrBytes()
	if err != nil {
		return err
	}
	if t, err := time.Parse(time.RFC3339Nano, string(text)); err == nil {
		*into = t
	}
	return nil
}
