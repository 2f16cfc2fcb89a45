package playback

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trackmesh/trackmesh/source"
)

// maxTogether bounds what one sending has: more lines of one time go in several.
const maxTogether = 10_000

// Player plays one file.
//
//	read a line ──> its group is full, or its time is another ──> wait for the group's turn ──> send ──> read on
type Player struct {
	opts     Options
	clock    *source.Clock
	times    *timeFinder
	sender   Sender
	progress Progress

	turn     time.Time // of the last group
	began    bool
	group    []Line
	groupAt  int64 // time of the group's lines, by time only
	playedAt int64 // time of the last group's lines
	same     bool  // the group is more of the last one's time
	seen     int   // lines in this round
	sent     int   // of them, handed to the sender
}

// New makes a player. It fails only on options that Validate refuses.
func New(o Options, sender Sender) (*Player, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if !o.ByTime && o.Rate == 0 {
		o.Rate = 100
	}
	if !o.ByTime && o.Every == 0 {
		o.Every = time.Second
	}
	clock, err := source.NewClock(o.Source)
	if err != nil {
		return nil, err
	}
	times, err := newTimeFinder(o.Source)
	if err != nil {
		return nil, err
	}
	return &Player{opts: o, clock: clock, times: times, sender: sender}, nil
}

// Run plays until the file ends, or for ever with Loop. It returns the context's error when that ends it.
func (p *Player) Run(ctx context.Context) error {
	for {
		p.progress.Round++
		p.seen, p.sent = 0, 0
		if err := p.play(ctx); err != nil {
			return err
		}
		switch {
		case p.seen == 0:
			return fmt.Errorf("%s: there is no line in it", p.opts.Path)
		case p.sent == 0:
			return fmt.Errorf("%s: none of its %d lines could be sent: --format, --map and --header say where their times are", p.opts.Path, p.seen)
		}
		if !p.opts.Loop {
			return nil
		}
	}
}

// play plays the file once.
func (p *Player) play(ctx context.Context) error {
	file, err := os.Open(p.opts.Path)
	if err != nil {
		return err // names the file
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err == nil {
		p.progress.BytesAll = info.Size()
	}
	p.progress.BytesRead = 0
	body, err := unpacked(&counted{file, &p.progress.BytesRead})
	if err != nil {
		return fmt.Errorf("%s: %w", p.opts.Path, err)
	}
	var own *lineError
	err = source.Split(p.contentType(body), body, func(l source.Line) error {
		if err := p.take(ctx, l); err != nil {
			own = &lineError{err}
			return own
		}
		return nil
	})
	switch {
	case own != nil:
		return own.err
	case err != nil:
		return fmt.Errorf("%s:%d: %w", p.opts.Path, p.seen+1, err)
	}
	return p.flush(ctx)
}

// lineError is one that take has told with its line already.
type lineError struct{ err error }

func (e *lineError) Error() string { return e.err.Error() }

// contentType is how the file is cut and read.
func (p *Player) contentType(body *bufio.Reader) string { return p.opts.Source.On(p.mediaType(body)) }

// mediaType is that without the options. A file of JSON whose first line is a whole value is one of lines.
func (p *Player) mediaType(body *bufio.Reader) string {
	switch p.opts.Source.Format {
	case source.FormatTaxi:
		return "text/csv; layout=taxi"
	case source.FormatGeoJSON:
		return "application/geo+json"
	case source.FormatCSV:
		if p.opts.Source.Header {
			return "text/csv; header=present"
		}
		return "text/csv"
	}
	head, _ := body.Peek(bufferBytes) // as much as there is
	first, _, _ := bytes.Cut(bytes.TrimLeft(head, " \t\r\n\ufeff"), []byte{'\n'})
	if len(first) > 0 && first[0] == '{' && json.Valid(first) {
		return "application/x-ndjson"
	}
	return "application/json"
}

const bufferBytes = 64 << 10

// take adds a line to the group that is waiting; it sends the group when the line is not of it or fills it.
func (p *Player) take(ctx context.Context, l source.Line) error {
	p.seen++
	at := func(err error) error { return fmt.Errorf("%s:%d: %w", p.opts.Path, l.Number, err) }
	t, err := int64(0), l.Err
	if err == nil && (p.opts.ByTime || p.opts.RewriteTime) {
		if t, err = p.timeOf(l); err != nil && !p.opts.ByTime {
			err = errors.New("it has no time that could be rewritten")
		}
	}
	if err != nil {
		if p.opts.Skipped == nil {
			return at(err)
		}
		p.opts.Skipped(l.Number, err)
		return nil
	}
	if p.opts.ByTime {
		if len(p.group) > 0 && (t != p.groupAt || len(p.group) == maxTogether) {
			if err := p.flush(ctx); err != nil {
				return err
			}
			p.same = t == p.groupAt
		}
		p.groupAt = t
	}
	p.group = append(p.group, Line{l.Number, l.Value, l.ContentType})
	if !p.opts.ByTime && len(p.group) == p.opts.Rate {
		return p.flush(ctx)
	}
	return nil
}

func (p *Player) timeOf(l source.Line) (int64, error) {
	from, to, ok := p.times.find(l.Value, l.ContentType)
	if !ok {
		return 0, errors.New("it has no time")
	}
	t, ok := p.clock.Read(l.Value[from:to])
	if !ok {
		return 0, fmt.Errorf("its time cannot be read: %.48q", l.Value[from:to])
	}
	return t, nil
}

// flush sends the group at its turn.
func (p *Player) flush(ctx context.Context) error {
	if len(p.group) == 0 {
		return ctx.Err()
	}
	if err := p.await(ctx); err != nil {
		return err
	}
	if p.opts.RewriteTime {
		if err := p.rewrite(); err != nil {
			return err
		}
	}
	first := p.group[0].Number
	if err := p.sender.Send(ctx, p.group); err != nil {
		return fmt.Errorf("%s:%d: sending: %w", p.opts.Path, first, err)
	}
	p.progress.Lines += int64(len(p.group))
	p.sent += len(p.group)
	p.same = false
	p.group = nil // the sender's now
	if p.opts.Progress != nil {
		p.opts.Progress(p.progress)
	}
	return nil
}

// await waits for the group's turn. A turn that was missed is not made up for: the pace goes on from now.
func (p *Player) await(ctx context.Context) error {
	now := time.Now()
	if !p.began {
		p.began, p.turn, p.playedAt = true, now, p.groupAt
		return ctx.Err()
	}
	p.turn = p.turn.Add(p.pause())
	if p.turn.Before(now) {
		p.turn = now
	}
	p.playedAt = p.groupAt
	timer := time.NewTimer(time.Until(p.turn))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause between the last group and this one.
func (p *Player) pause() time.Duration {
	switch {
	case !p.opts.ByTime:
		return p.opts.Every
	case p.same:
		return 0
	case p.opts.Step > 0:
		return p.opts.Step
	case p.sent == 0: // between two rounds
		return time.Second
	default: // time that goes back is no time
		return time.Duration(float64(max(0, p.groupAt-p.playedAt)) / p.opts.Speed * float64(time.Millisecond))
	}
}

// rewrite gives each line of the group the time of its turn.
func (p *Player) rewrite() error {
	// Whole seconds would make lines of one vehicle equal in time where they come faster.
	fine := !p.opts.ByTime || p.opts.Speed > 0 || p.opts.Step < time.Second
	for i := range p.group {
		l := &p.group[i]
		from, to, ok := p.times.find(l.Value, l.ContentType)
		if ok {
			_, ok = p.clock.Read(l.Value[from:to])
		}
		if !ok {
			return fmt.Errorf("%s:%d: it has no time that could be rewritten", p.opts.Path, l.Number)
		}
		at := p.turn
		if !p.opts.ByTime {
			at = at.Add(-p.opts.Every + p.opts.Every*time.Duration(i+1)/time.Duration(len(p.group)))
		}
		l.Value = spliced(l.Value, from, to, p.clock.Rewrite(l.Value[from:to], at.UnixMilli(), fine))
	}
	return nil
}

func spliced(b []byte, from, to int, middle []byte) []byte {
	return append(append(append(make([]byte, 0, len(b)+len(middle)), b[:from]...), middle...), b[to:]...)
}

// unpacked reads gzip as what is in it.
func unpacked(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, bufferBytes)
	if head, err := in.Peek(2); err == nil && bytes.Equal(head, []byte{0x1f, 0x8b}) {
		plain, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(plain, bufferBytes), nil
	}
	return in, nil
}

// counted counts what was read.
type counted struct {
	r io.Reader
	n *int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	*c.n += int64(n)
	return n, err
}
