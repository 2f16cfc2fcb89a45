package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// splitJSON takes the values of a body: those of an array, or one after another. Of a FeatureCollection it takes the features.
func splitJSON(stored string, collections bool, body io.Reader, fn func(Line) error) error {
	s := &jsonStream{in: withoutMark(body), stored: stored, fn: fn}
	for {
		switch c, err := s.peek(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the body: %w", err)
		case c == '[':
			err = s.array()
			if err != nil {
				return err
			}
		case c == '{' && collections:
			if err := s.collection(); err != nil {
				return err
			}
		default:
			if err := s.element(); err != nil {
				return err
			}
		}
	}
}

// jsonStream cuts values out of a stream by their brackets and quotes, so that neither many nor long ones need memory; what is
// between the brackets is the decoder's business.
type jsonStream struct {
	in     *bufio.Reader
	stored string
	fn     func(Line) error
	number int

	value   []byte // of the last value
	tooLong bool   // it was, and is not kept

	capturing bool // what is consumed goes into whole too
	whole     []byte
}

// fnError is one of the receiver: it is passed on as it is.
type fnError struct{ error }

func (s *jsonStream) fail(err error) error {
	if own, ok := errors.AsType[fnError](err); ok {
		return own.error
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("after element %d the body is no JSON: %w", s.number, err)
}

// peek is the next byte that is not blank.
func (s *jsonStream) peek() (byte, error) {
	for {
		b, err := s.in.Peek(1)
		if err != nil {
			return 0, err
		}
		switch b[0] {
		case ' ', '\t', '\n', '\r':
			s.consume(1)
		default:
			return b[0], nil
		}
	}
}

// consume takes bytes that are buffered.
func (s *jsonStream) consume(n int) {
	if s.capturing && len(s.whole) <= MaxLineBytes {
		b, _ := s.in.Peek(n)
		s.whole = append(s.whole, b...)
	}
	_, _ = s.in.Discard(n)
}

func (s *jsonStream) expect(want byte) error {
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case c != want:
		return fmt.Errorf("%q where %q should be", c, want)
	}
	s.consume(1)
	return nil
}

// element hands out the next value.
func (s *jsonStream) element() error {
	if err := s.read(); err != nil {
		return s.fail(err)
	}
	if err := s.emit(s.value, s.tooLong); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *jsonStream) emit(value []byte, tooLong bool) error {
	s.number++
	l := Line{Number: s.number, Value: value, ContentType: s.stored}
	if tooLong {
		l.Value, l.Err = nil, errTooLong
	}
	if err := s.fn(l); err != nil {
		return fnError{err}
	}
	return nil
}

// read takes one value into memory of its own.
func (s *jsonStream) read() error {
	s.value, s.tooLong = nil, false
	c, err := s.peek()
	switch {
	case err != nil:
		return err
	case c == '{' || c == '[' || c == '"':
		return s.scan((&brackets{}).end)
	case c == ',' || c == ':' || c == ']' || c == '}':
		return fmt.Errorf("%q where a value should be", c)
	}
	err = s.scan(scalarEnd)
	if errors.Is(err, io.EOF) {
		return nil // a number at the body's end
	}
	return err
}

// scan takes bytes until end finds where the value ends in what is buffered, -1: not yet.
func (s *jsonStream) scan(end func([]byte) int) error {
	for {
		if _, err := s.in.Peek(1); err != nil {
			return err
		}
		b, _ := s.in.Peek(s.in.Buffered())
		n := end(b)
		part := b
		if n >= 0 {
			part = b[:n]
		}
		switch {
		case s.tooLong:
		case len(s.value)+len(part) > MaxLineBytes:
			s.tooLong, s.value = true, nil
		default:
			s.value = append(s.value, part...)
		}
		s.consume(len(part))
		if n >= 0 {
			return nil
		}
	}
}

func scalarEnd(b []byte) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\n', '\r', ',', ':', '[', ']', '{', '}':
			return i
		}
	}
	return -1
}

// brackets follow a value that begins with a bracket or a quote.
type brackets struct {
	depth           int
	quoted, escaped bool
}

func (s *brackets) end(b []byte) int {
	for i, c := range b {
		switch {
		case s.escaped:
			s.escaped = false
			continue
		case s.quoted && c == '\\':
			s.escaped = true
			continue
		case c == '"':
			s.quoted = !s.quoted
		case s.quoted:
			continue
		case c == '{' || c == '[':
			s.depth++
		case c == '}' || c == ']':
			s.depth--
		default:
			continue
		}
		if s.depth <= 0 && !s.quoted {
			return i + 1
		}
	}
	return -1
}

// array hands out the elements of the array that comes.
func (s *jsonStream) array() error {
	s.consume(1)
	for first := true; ; first = false {
		c, err := s.peek()
		switch {
		case err != nil:
			return s.fail(err)
		case c == ']' && first:
			s.consume(1)
			return nil
		}
		if err := s.element(); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return s.fail(err)
		}
		s.consume(1)
		switch c {
		case ']':
			return nil
		case ',':
		default:
			return s.fail(fmt.Errorf("%q where a comma should be", c))
		}
	}
}

// collection hands out the features of the object that comes, or the object where it has none.
func (s *jsonStream) collection() error {
	s.capturing, s.whole = true, nil
	found, err := s.members()
	s.capturing = false
	switch {
	case err != nil:
		return err
	case found:
		return nil
	}
	if err := s.emit(s.whole, len(s.whole) > MaxLineBytes); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *jsonStream) members() (found bool, err error) {
	s.consume(1)
	for {
		c, err := s.peek()
		switch {
		case err != nil:
			return found, s.fail(err)
		case c == '}':
			s.consume(1)
			return found, nil
		}
		if err := s.read(); err != nil {
			return found, s.fail(err)
		}
		features := string(s.value) == `"features"`
		if err := s.expect(':'); err != nil {
			return found, s.fail(err)
		}
		if c, err = s.peek(); err != nil {
			return found, s.fail(err)
		}
		if features && c == '[' {
			found, s.capturing, s.whole = true, false, nil
			if err := s.array(); err != nil {
				return found, err
			}
		} else if err := s.read(); err != nil {
			return found, s.fail(err)
		}
		if c, err = s.peek(); err != nil {
			return found, s.fail(err)
		}
		if c == ',' {
			s.consume(1)
		} else if c != '}' {
			return found, s.fail(fmt.Errorf("%q where a comma should be", c))
		}
	}
}
