package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/trackmesh/trackmesh/broker"
	trackmeshv1 "github.com/trackmesh/trackmesh/messages/trackmesh/v1"
)

// messageBody is a message to a track: exactly one member.
type messageBody struct {
	Annotate      map[string]*string `json:"annotate"`
	ResetOdometer *struct{}          `json:"reset_odometer"`
	Configure     *configureBody     `json:"configure"`
	Forget        *struct{}          `json:"forget"`
}

// configureBody overrides a track's settings; what is absent stays the node's.
type configureBody struct {
	StopRadiusMetres *float64 `json:"stop_radius_metres"`
	StopAfterSeconds *float64 `json:"stop_after_seconds"`
	GapAfterSeconds  *float64 `json:"gap_after_seconds"`
	JumpSpeedMPS     *float64 `json:"jump_speed_mps"`
	PathFixes        *uint32  `json:"path_fixes"`
}

// messageAnswer says where a message stands.
type messageAnswer struct {
	logPosition
	Applied bool `json:"applied"`
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) error {
	vehicle, err := pathID(r, "vehicle")
	if err != nil {
		return err
	}
	p := readParams(r, "wait")
	wait := p.wait()
	if err := p.problem(); err != nil {
		return err
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 128 || !utf8.ValidString(key) {
		return badParameter("Idempotency-Key", "has at most 128 bytes of UTF-8")
	}
	var body messageBody
	if err := s.readJSON(w, r, &body); err != nil {
		return err
	}
	cmd, err := body.command()
	if err != nil {
		return err
	}
	if _, err := s.findTrack(r.Context(), vehicle); err != nil {
		return err
	}
	cmd.Vehicle, cmd.IdempotencyKey, cmd.TimeMs = vehicle, key, s.opts.Now().UnixMilli()
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.StoreTimeout+wait)
	defer cancel()
	sent, err := s.opts.Messages.Send(ctx, cmd, wait)
	if err != nil {
		return err
	}
	code := http.StatusAccepted
	if sent.Applied {
		code = http.StatusOK
	}
	topic := s.opts.Log.Layout().Topic(broker.Commands)
	return writeJSON(w, code, messageAnswer{logPosition{topic, sent.Partition, sent.Offset}, sent.Applied})
}

// command is the message as the log keeps it.
func (b *messageBody) command() (*trackmeshv1.Command, error) {
	var found []*trackmeshv1.Command
	if b.Annotate != nil {
		attributes := make(map[string]string, len(b.Annotate))
		for name, value := range b.Annotate {
			if name == "" {
				return nil, badBody("/annotate", "an attribute needs a name")
			}
			if value != nil {
				attributes[name] = *value
				continue
			}
			attributes[name] = "" // null and "" both remove it
		}
		found = append(found, &trackmeshv1.Command{Body: &trackmeshv1.Command_Annotate{Annotate: &trackmeshv1.Annotate{Attributes: attributes}}})
	}
	if b.ResetOdometer != nil {
		found = append(found, &trackmeshv1.Command{Body: &trackmeshv1.Command_ResetOdometer{ResetOdometer: &trackmeshv1.ResetOdometer{}}})
	}
	if b.Configure != nil {
		configure, err := b.Configure.message()
		if err != nil {
			return nil, err
		}
		found = append(found, &trackmeshv1.Command{Body: &trackmeshv1.Command_Configure{Configure: configure}})
	}
	if b.Forget != nil {
		found = append(found, &trackmeshv1.Command{Body: &trackmeshv1.Command_Forget{Forget: &trackmeshv1.Forget{}}})
	}
	if len(found) != 1 {
		return nil, badBody("", "exactly one of annotate, reset_odometer, configure, forget is wanted")
	}
	return found[0], nil
}

func (c *configureBody) message() (*trackmeshv1.Configure, error) {
	const longest = 366 * 24 * time.Hour
	for _, f := range []struct {
		name    string
		value   *float64
		highest float64
	}{
		{"stop_radius_metres", c.StopRadiusMetres, 100_000},
		{"stop_after_seconds", c.StopAfterSeconds, longest.Seconds()},
		{"gap_after_seconds", c.GapAfterSeconds, longest.Seconds()},
		{"jump_speed_mps", c.JumpSpeedMPS, 1e6},
	} {
		if f.value != nil && !(*f.value > 0 && *f.value <= f.highest) {
			return nil, badBody("/configure/"+f.name, "must be above zero and not absurd")
		}
	}
	if c.PathFixes != nil && *c.PathFixes > 65_536 {
		return nil, badBody("/configure/path_fixes", "must be at most 65536")
	}
	return &trackmeshv1.Configure{
		StopRadiusMetres: c.StopRadiusMetres, StopAfterMs: toMillis(c.StopAfterSeconds), GapAfterMs: toMillis(c.GapAfterSeconds),
		JumpSpeedMps: c.JumpSpeedMPS, PathFixes: c.PathFixes,
	}, nil
}

func toMillis(seconds *float64) *int64 {
	if seconds == nil {
		return nil
	}
	ms := max(1, int64(*seconds*1000))
	return &ms
}

// UnmarshalJSON takes {"annotate": {}} for what it is and refuses null members, which would look like absent ones.
func (b *messageBody) UnmarshalJSON(raw []byte) error {
	type plain messageBody
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	for name, value := range members {
		if string(value) == "null" {
			return badBody("/"+name, "must be an object")
		}
	}
	return decodeStrictly(raw, (*plain)(b))
}
