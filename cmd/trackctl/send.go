package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

// sent says where a message stands.
type sent struct {
	logPosition
	Applied bool `json:"applied"`
}

// messageFlags are the parts of a message to a track.
type messageFlags struct {
	annotate                              []string
	resetOdometer, forget                 bool
	stopRadius, stopAfter, gapAfter, jump float64
	pathFixes                             uint32
}

func (a *app) tracksSend() *cobra.Command {
	var m messageFlags
	var key string
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "send VEHICLE [JSON]", Short: "Send a message to a track", Args: usage(cobra.RangeArgs(1, 2)), DisableFlagsInUseLine: true,
		Long: "Send a message to a track: durable once acknowledged, applied in the order sent. Give one of the flags, or the message as JSON.",
		Example: "  trackctl tracks send taxi-0001 --annotate driver=Ana --annotate load=\n" +
			"  trackctl tracks send taxi-0001 '{\"configure\":{\"gap_after_seconds\":600}}' --wait 2s",
	}
	f := cmd.Flags()
	f.StringArrayVar(&m.annotate, "annotate", nil, "name=value: set an attribute; an empty value removes it; repeat for more")
	f.BoolVar(&m.resetOdometer, "reset-odometer", false, "set the odometer to zero")
	f.BoolVar(&m.forget, "forget", false, "forget the track")
	f.Float64Var(&m.stopRadius, "stop-radius-metres", 0, "configure: radius of a stop")
	f.Float64Var(&m.stopAfter, "stop-after-seconds", 0, "configure: how long a stop takes at least")
	f.Float64Var(&m.gapAfter, "gap-after-seconds", 0, "configure: how long silence lasts before it is a gap")
	f.Float64Var(&m.jump, "jump-speed-mps", 0, "configure: implied speed above which a fix is a jump")
	f.Uint32Var(&m.pathFixes, "path-fixes", 0, "configure: how many fixes the path in memory has")
	f.StringVar(&key, "idempotency-key", "", "makes a repeat of this message harmless")
	f.DurationVar(&wait, "wait", 0, "answer when it is applied, after this at the latest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := m.body(cmd, args[1:])
		if err != nil {
			return err
		}
		req := jsonRequest(http.MethodPost, client.Path("tracks", args[0], "messages"), body)
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		if wait > 0 {
			q := a.query()
			q.set("wait", wait.String())
			req.Query = q.values
		}
		resp, err := a.client.Do(cmd.Context(), req)
		if err != nil {
			return err
		}
		var s sent
		if err := json.Unmarshal(resp.Body, &s); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		return a.show(answer{raw: resp.Body, table: func(w io.Writer) error {
			state := "stored, not applied yet"
			if s.Applied {
				state = "applied"
			}
			_, err := fmt.Fprintf(w, "Message to %s %s: %s\n", plain(args[0]), state, s.String())
			return err
		}})
	}
	return cmd
}

// body is the message that the flags or the argument make.
func (m *messageFlags) body(cmd *cobra.Command, args []string) ([]byte, error) {
	message := map[string]any{}
	if len(m.annotate) > 0 {
		set := map[string]string{}
		for _, pair := range m.annotate {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" {
				return nil, badUsage(cmd, "--annotate %q: write it as name=value", pair)
			}
			set[name] = value
		}
		message["annotate"] = set
	}
	configure := map[string]any{}
	for flag, value := range map[string]any{
		"stop-radius-metres": m.stopRadius, "stop-after-seconds": m.stopAfter, "gap-after-seconds": m.gapAfter,
		"jump-speed-mps": m.jump, "path-fixes": m.pathFixes,
	} {
		if cmd.Flags().Changed(flag) {
			configure[strings.ReplaceAll(flag, "-", "_")] = value
		}
	}
	if len(configure) > 0 {
		message["configure"] = configure
	}
	if m.resetOdometer {
		message["reset_odometer"] = struct{}{}
	}
	if m.forget {
		message["forget"] = struct{}{}
	}
	if len(message)+len(args) != 1 {
		return nil, badUsage(cmd, "give one of --annotate, --reset-odometer, --forget, the settings to configure, or a message as JSON")
	}
	if len(args) == 0 {
		return json.Marshal(message)
	}
	if !json.Valid([]byte(args[0])) {
		return nil, badUsage(cmd, "%q is no JSON", args[0])
	}
	return []byte(args[0]), nil
}
