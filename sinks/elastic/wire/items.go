package wire

import (
	"io"

	"github.com/go-faster/jx"
)

// Item is what a reply says of one document. Kind and Reason are empty where it was stored.
type Item struct {
	Status       int
	Kind, Reason string // the reason ends with its causes'
}

// Items calls fn with each item of a bulk request's reply as it comes in, in the order of the request, and returns how many
// there were.
func Items(body io.Reader, fn func(n int, r Item)) (n int, err error) {
	dec := jx.Decode(body, 64<<10)
	err = dec.ObjBytes(func(dec *jx.Decoder, key []byte) error {
		if string(key) != "items" {
			return dec.Skip()
		}
		return dec.Arr(func(dec *jx.Decoder) error {
			r, err := readItem(dec)
			if err != nil {
				return err
			}
			fn(n, r)
			n++
			return nil
		})
	})
	return n, err
}

// Refusal reads why a request failed as a whole. Both are empty where the reply is no reply of Elasticsearch's.
func Refusal(body []byte) (kind, reason string) {
	_ = jx.DecodeBytes(body).ObjBytes(func(dec *jx.Decoder, key []byte) (err error) { // a proxy answers in HTML
		if string(key) != "error" {
			return dec.Skip()
		}
		kind, reason, err = readError(dec, 0)
		return err
	})
	return kind, reason
}

// readItem reads {"create":{"status":…,"error":{…}}}.
func readItem(dec *jx.Decoder) (r Item, err error) {
	err = dec.ObjBytes(func(dec *jx.Decoder, _ []byte) error {
		return dec.ObjBytes(func(dec *jx.Decoder, key []byte) error {
			switch string(key) {
			case "status":
				r.Status, err = dec.Int()
				return err
			case "error":
				r.Kind, r.Reason, err = readError(dec, 0)
				return err
			default:
				return dec.Skip()
			}
		})
	})
	return r, err
}

// maxCauses bounds how deep the causes of an error are read.
const maxCauses = 4

// readError reads an error object, or the plain text that old versions send. The reason ends with its causes'.
func readError(dec *jx.Decoder, depth int) (kind, reason string, err error) {
	if dec.Next() != jx.Object {
		if dec.Next() == jx.String {
			reason, err = dec.Str()
			return "", reason, err
		}
		return "", "", dec.Skip()
	}
	var cause string
	err = dec.ObjBytes(func(dec *jx.Decoder, key []byte) (err error) {
		switch {
		case string(key) == "type" && dec.Next() == jx.String:
			kind, err = dec.Str()
		case string(key) == "reason" && dec.Next() == jx.String:
			reason, err = dec.Str()
		case string(key) == "caused_by" && depth < maxCauses:
			_, cause, err = readError(dec, depth+1)
		default:
			err = dec.Skip()
		}
		return err
	})
	if cause != "" {
		reason += ": " + cause
	}
	return kind, reason, err
}
