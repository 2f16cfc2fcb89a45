package main

import (
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// fileInput is a file that is being read.
type fileInput struct {
	io.Reader
	name  string
	size  int64 // below zero: unknown
	close func() error
}

// progress is a bar on a terminal; elsewhere it is silent. Whoever makes one ends it with done.
type progress struct {
	pool *mpb.Progress
	bar  *mpb.Bar
}

// bytesBar follows a file by its bytes.
func (a *app) bytesBar(name string, size int64) *progress {
	return a.newBar(size, decor.Name(name+" "), decor.CountersKiloByte("% .1f / % .1f "))
}

// countBar follows a count of records; total below zero: nobody knows.
func (a *app) countBar(name string, total int64) *progress {
	return a.newBar(total, decor.Name(name+" "), decor.CurrentNoUnit("%d "), decor.AverageSpeed(0, " %.0f/s "))
}

func (a *app) newBar(total int64, head ...decor.Decorator) *progress {
	p := &progress{}
	if !a.terminal {
		return p
	}
	p.pool = mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
	if total > 0 {
		tail := mpb.AppendDecorators(decor.Percentage(), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace))
		p.bar = p.pool.New(total, mpb.BarStyle(), mpb.PrependDecorators(head...), tail)
		return p
	}
	p.bar = p.pool.New(0, mpb.SpinnerStyle(), mpb.PrependDecorators(head...))
	return p
}

func (p *progress) add(n int64) {
	if p.bar != nil {
		p.bar.IncrInt64(n)
	}
}

// reader counts what is read.
func (p *progress) reader(in io.Reader) io.Reader { return &countingReader{in, p} }

type countingReader struct {
	in io.Reader
	p  *progress
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.p.add(int64(n))
	return n, err
}

// done takes the bar away: complete, or as far as it came.
func (p *progress) done(complete bool) {
	if p.bar == nil {
		return
	}
	if complete {
		p.bar.SetTotal(-1, true)
	} else {
		p.bar.Abort(false)
	}
	p.pool.Wait()
}
