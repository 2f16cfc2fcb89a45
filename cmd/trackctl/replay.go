package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
	"github.com/trackmesh/trackmesh/source/playback"
)

func (a *app) sourceReplay() *cobra.Command {
	var o playback.Options
	var to feedFlags
	cmd := leaf("replay FILE", "Play a file of positions in", 1, nil)
	cmd.Long = "Play a file of positions (plain or gzip) in: at a constant rate, or by the times that its records have. --map, --time-layout,\n" +
		"--time-zone and --header say how the file is read; they go with its records, whatever the node was started with."
	f := cmd.Flags()
	f.StringVar(&o.Source.Format, "format", "json", "json, taxi, csv or geojson")
	f.StringArrayVar(&o.Source.Map, "map", nil, "field=source[:unit], as the node's; repeat for more")
	f.StringVar(&o.Source.TimeLayout, "time-layout", "", "how times are written, as Go's reference time")
	f.StringVar(&o.Source.TimeZone, "time-zone", "", "zone of times without one")
	f.BoolVar(&o.Source.Header, "header", false, "CSV has a header line")
	f.IntVar(&o.Rate, "rate", 0, "records sent together (default 100)")
	f.DurationVar(&o.Every, "every", 0, "how often they are sent (default 1s)")
	f.BoolVar(&o.ByTime, "by-time", false, "send all records of one time together, with --step or --speed")
	f.DurationVar(&o.Step, "step", 0, "with --by-time: between two times, whatever they are")
	f.Float64Var(&o.Speed, "speed", 0, "with --by-time: so many times as fast as it was")
	f.BoolVar(&o.Loop, "loop", false, "begin again at the file's end")
	f.BoolVar(&o.RewriteTime, "rewrite-time", false, "put the time of sending in the place of each record's own")
	to.flags(cmd)
	cmd.Example = "  trackctl source replay taxi-route.csv --format taxi --rate 100 --every 1s\n" +
		"  trackctl source replay taxi-route.csv --format taxi --by-time --step 3s --rewrite-time\n" +
		"  trackctl source replay taxi-route.csv --format taxi --by-time --speed 60 --kafka-brokers 127.0.0.1:9092"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Path = args[0]
		if o.ByTime && o.Step == 0 && o.Speed == 0 {
			o.Speed = 1
		}
		if err := o.Validate(); err != nil {
			return badUsage(cmd, "%w", err)
		}
		out, err := to.open(cmd.Context(), a, o.Source)
		if err != nil {
			return err
		}
		defer out.close()
		return a.replay(cmd.Context(), o, out)
	}
	return cmd
}

func (a *app) replay(ctx context.Context, o playback.Options, out feed) error {
	in, err := a.fileArg(o.Path) // its size, and a clear word when it is not there
	if err != nil {
		return err
	}
	_ = in.close() // the player opens it itself
	bar := a.replayBar(in.size, o.Loop)
	s := &sending{app: a, out: out}
	o.Skipped = s.skip
	o.Progress = s.follow(bar, o.Loop)
	player, err := playback.New(o, s)
	if err != nil {
		return err
	}
	begun := a.now()
	err = player.Run(ctx)
	bar.done(err == nil || ctx.Err() != nil)
	a.listLines(s.refused, s.omitted)
	if interrupted := errors.Is(err, context.Canceled) && ctx.Err() != nil; err != nil && !interrupted {
		return err
	}
	err = errors.Join(a.report(&s.tally, begun), s.tally.refusal())
	if !o.Loop { // a loop has no other end
		err = errors.Join(err, ctx.Err())
	}
	return err
}

// replayBar follows the file, or counts when it is played again and again.
func (a *app) replayBar(size int64, loop bool) *progress {
	if loop {
		return a.countBar("playing", -1)
	}
	return a.bytesBar("playing", size)
}

// sending is the player's sender.
type sending struct {
	app     *app
	out     feed
	tally   tally
	refused []client.LineError // with the file's line numbers
	omitted int
}

// skip counts a line that could not be played as one that was refused.
func (s *sending) skip(number int, why error) {
	s.tally.Sent++
	s.tally.Refused++
	s.note(client.LineError{Line: number, Reason: "not sent: " + why.Error()})
}

// note keeps what is wrong with a line, of some.
func (s *sending) note(e client.LineError) {
	if len(s.refused) >= shownErrors {
		s.omitted++
		return
	}
	s.refused = append(s.refused, e)
}

// Send implements playback.Sender.
func (s *sending) Send(ctx context.Context, lines []playback.Line) error {
	for len(lines) > 0 {
		n := alike(lines)
		values := make([][]byte, n)
		for i := range values {
			values[i] = lines[i].Value
		}
		done, err := s.out.send(ctx, lines[0].ContentType, values)
		if err != nil {
			return err
		}
		s.tally.add(n, done)
		s.omitted += done.ErrorsOmitted
		for _, e := range done.Errors {
			if e.Line >= 1 && e.Line <= n {
				e.Line = lines[e.Line-1].Number
			}
			s.note(e)
		}
		lines = lines[n:]
	}
	return nil
}

// alike is how many lines from the first on go in one request.
func alike(lines []playback.Line) int {
	n := 1
	for n < len(lines) && n < maxSend && lines[n].ContentType == lines[0].ContentType {
		n++
	}
	return n
}

// follow moves the bar: by the file's bytes, or by lines when it is played again and again.
func (s *sending) follow(bar *progress, loop bool) func(playback.Progress) {
	var at int64
	return func(p playback.Progress) {
		to := p.BytesRead
		if loop {
			to = p.Lines
		}
		bar.add(to - at)
		at = to
	}
}
