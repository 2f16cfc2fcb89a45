package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trackmesh/trackmesh/client"
)

func (a *app) deadCommand() *cobra.Command {
	cmd := group("dead", "Records that were refused: list, show, send again")
	cmd.AddCommand(a.deadList(), a.deadShow(), a.deadRequeue())
	return cmd
}

// deadTopic is the topic of dead letters beside an input topic; empty: the node's.
func (a *app) deadTopic(ctx context.Context, input string) (string, int, error) {
	_, state, err := a.cluster(ctx)
	if err != nil {
		return "", 0, err
	}
	return cmp.Or(input, state.Topic) + ".dead", len(state.Partitions), nil
}

// letters reads the newest dead letters of all partitions, oldest first.
func (a *app) letters(ctx context.Context, reason string, limit int) ([]*client.Record, error) {
	topic, partitions, err := a.deadTopic(ctx, "")
	if err != nil {
		return nil, err
	}
	var found []*client.Record
	for p := range int32(partitions) { //nolint:gosec // a count of partitions
		earliest, end, err := a.bounds(ctx, topic, p)
		if err != nil {
			return nil, err
		}
		from := earliest
		if reason == "" && limit > 0 {
			from = max(earliest, end-int64(limit))
		}
		if from >= end {
			continue
		}
		q := client.LogQuery{Topic: topic, Partition: p, From: from, Limit: dumpPage}
		err = a.client.Records(ctx, q, func(rec *client.Record) error {
			if reason == "" || rec.Headers["reason"] == reason {
				found = append(found, rec)
			}
			return nil
		})
		if err != nil && !isGone(err) { // retention overtook us: what is gone is gone
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(x, y *client.Record) int { return cmp.Compare(x.Timestamp, y.Timestamp) })
	if limit > 0 && len(found) > limit {
		found = found[len(found)-limit:]
	}
	return found, nil
}

func readRecord(line []byte) (*client.Record, error) {
	rec := &client.Record{}
	if err := json.Unmarshal(line, rec); err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	return rec, nil
}

// letterName is how commands name a dead letter.
func letterName(rec *client.Record) string {
	return strconv.Itoa(int(rec.Partition)) + "/" + strconv.FormatInt(rec.Offset, 10)
}

func parseLetter(s string) (partition int32, offset int64, err error) {
	p, o, ok := strings.Cut(s, "/")
	n, err1 := strconv.ParseInt(p, 10, 32)
	offset, err2 := strconv.ParseInt(o, 10, 64)
	if !ok || err1 != nil || err2 != nil || n < 0 || offset < 0 {
		return 0, 0, fmt.Errorf("%q names no dead letter: write it as partition/offset, such as 3/17", s)
	}
	return int32(n), offset, nil
}

func (a *app) deadList() *cobra.Command {
	var reason string
	var limit int
	cmd := leaf("list", "List the newest dead letters", 0, nil)
	cmd.Flags().StringVar(&reason, "reason", "", "only with this reason: unparsable, vehicle, position, time, future, too_large, …")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found, err := a.letters(cmd.Context(), reason, limit)
		if err != nil {
			return err
		}
		t := newTable("letter", "time", "reason", "source", "key", "detail")
		items := make([]json.RawMessage, len(found))
		for i, rec := range found {
			key := "-"
			if rec.Key != nil {
				key = *rec.Key
			}
			t.add(letterName(rec), moment(rec.Timestamp), rec.Headers["reason"], sourceOf(rec), key, rec.Headers["detail"])
			if items[i], err = json.Marshal(rec); err != nil {
				return fmt.Errorf("reading a dead letter: %w", err)
			}
		}
		return a.showList("dead letters", items, false, t, nil)
	}
	return cmd
}

func sourceOf(rec *client.Record) string {
	h := rec.Headers
	if h["source_topic"] == "" {
		return "-"
	}
	return h["source_topic"] + "[" + h["source_partition"] + "]@" + h["source_offset"]
}

// letter reads one.
func (a *app) letter(ctx context.Context, topic, name string) (*client.Record, error) {
	partition, offset, err := parseLetter(name)
	if err != nil {
		return nil, err
	}
	var found *client.Record
	_, err = a.client.Log(ctx, client.LogQuery{Topic: topic, Partition: partition, From: offset, Limit: 1}, func(line []byte) error {
		found, err = readRecord(line)
		return err
	})
	if err != nil {
		return nil, err
	}
	if found == nil || found.Offset != offset {
		return nil, fmt.Errorf("there is no dead letter %s", name)
	}
	return found, nil
}

func (a *app) deadShow() *cobra.Command {
	return leaf("show PARTITION/OFFSET", "Show a dead letter with its bytes", 1, func(cmd *cobra.Command, args []string) error {
		if _, _, err := parseLetter(args[0]); err != nil {
			return badUsage(cmd, "%w", err)
		}
		topic, _, err := a.deadTopic(cmd.Context(), "")
		if err != nil {
			return err
		}
		rec, err := a.letter(cmd.Context(), topic, args[0])
		if err != nil {
			return err
		}
		raw, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("reading a dead letter: %w", err)
		}
		return a.show(answer{raw: raw, table: func(w io.Writer) error {
			t := fields("letter", letterName(rec), "time", moment(rec.Timestamp), "source", sourceOf(rec))
			for _, name := range slices.Sorted(maps.Keys(rec.Headers)) {
				t.add(name, rec.Headers[name])
			}
			if rec.Key != nil {
				t.add("key", *rec.Key)
			}
			value, err := rec.Bytes()
			if err != nil {
				return err
			}
			t.add("bytes", strconv.Itoa(len(value)))
			if err := t.write(w); err != nil {
				return err
			}
			_, err = fmt.Fprintf(w, "\n%s\n", plain(string(value)))
			return err
		}})
	})
}

func (a *app) deadRequeue() *cobra.Command {
	var reason string
	var limit int
	cmd := &cobra.Command{
		Use: "requeue [PARTITION/OFFSET…]", Short: "Send dead letters in again", Args: cobra.ArbitraryArgs, DisableFlagsInUseLine: true,
		Long:    "Send dead letters in again as they came, after what was wrong is mended. Name them, or choose by --reason.",
		Example: "  trackctl dead requeue 3/17\n  trackctl dead requeue --reason future --limit 0",
	}
	cmd.Flags().StringVar(&reason, "reason", "", "all with this reason")
	cmd.Flags().IntVar(&limit, "limit", 100, "with --reason: the newest so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 0) == (reason == "") {
			return badUsage(cmd, "name dead letters as partition/offset, or choose them with --reason")
		}
		chosen, err := a.chosen(cmd, args, reason, limit)
		if err != nil {
			return err
		}
		return a.requeue(cmd.Context(), chosen)
	}
	return cmd
}

func (a *app) chosen(cmd *cobra.Command, args []string, reason string, limit int) ([]*client.Record, error) {
	if reason != "" {
		return a.letters(cmd.Context(), reason, limit)
	}
	for _, name := range args {
		if _, _, err := parseLetter(name); err != nil {
			return nil, badUsage(cmd, "%w", err)
		}
	}
	topic, _, err := a.deadTopic(cmd.Context(), "")
	if err != nil {
		return nil, err
	}
	var chosen []*client.Record
	for _, name := range args {
		rec, err := a.letter(cmd.Context(), topic, name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, rec)
	}
	return chosen, nil
}

// requeue sends each letter as a request of its own: they may be of many formats, and one may be refused again.
func (a *app) requeue(ctx context.Context, letters []*client.Record) error {
	producer := a.client.NewProducer(client.ProducerOptions{OnRetry: a.sayRetry})
	bar := a.countBar("requeueing", int64(len(letters)))
	sent, refused := 0, []error(nil)
	for _, rec := range letters {
		why, err := a.requeueOne(ctx, producer, rec)
		if err != nil {
			bar.done(false)
			return fmt.Errorf("after %d of %d were sent again: %s: %w", sent, len(letters), letterName(rec), err)
		}
		bar.add(1)
		if why != "" {
			refused = append(refused, fmt.Errorf("%s was refused again: %s", letterName(rec), why))
			continue
		}
		sent++
	}
	bar.done(true)
	raw, err := json.Marshal(map[string]int{"sent": sent, "refused": len(refused)})
	if err != nil {
		return err
	}
	err = a.show(answer{raw: raw, table: func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d dead letters sent again; %d refused\n", sent, len(refused))
		return err
	}})
	return errors.Join(append(refused, err)...)
}

func (a *app) requeueOne(ctx context.Context, producer *client.Producer, letter *client.Record) (why string, err error) {
	if letter.Headers["sink"] != "" {
		return "it is a document that a sink refused, no record of the input", nil
	}
	rec, err := a.original(ctx, letter)
	if err != nil {
		return "", err
	}
	if rec.Headers["full_bytes"] != "" {
		return "only its first bytes were kept", nil
	}
	value, err := rec.Bytes()
	if err != nil {
		return "", err
	}
	contentType, header := requeueType(rec.Headers["content-type"])
	body, lines := append(header, value...), 1
	if len(header) > 0 {
		lines++
	}
	done, err := producer.Send(ctx, contentType, body, lines)
	problem, refused := errors.AsType[*client.Problem](err)
	switch {
	case refused && !problem.Temporary():
		return problem.Error(), nil
	case err != nil:
		return "", err
	case len(done.Errors) > 0:
		return done.Errors[0].Reason, nil
	case done.Stored == 0:
		return "the node found no record in it", nil
	}
	return "", nil
}

// original is the record that a letter was made of, which names its format and has all its bytes; the letter itself when the
// log no longer holds that.
func (a *app) original(ctx context.Context, letter *client.Record) (*client.Record, error) {
	topic := letter.Headers["source_topic"]
	partition, offset, err := parseLetter(letter.Headers["source_partition"] + "/" + letter.Headers["source_offset"])
	if topic == "" || err != nil || letter.Headers["content-type"] != "" {
		return letter, nil
	}
	found := letter
	_, err = a.client.Log(ctx, client.LogQuery{Topic: topic, Partition: partition, From: offset, Limit: 1}, func(line []byte) error {
		rec, err := readRecord(line)
		if err == nil && rec.Offset == offset {
			found = rec
		}
		return err
	})
	if isGone(err) {
		return letter, nil
	}
	return found, err
}

// requeueType is the content type to send a stored record with; none: the node's own format. Columns that its header line had
// named come first.
func requeueType(stored string) (contentType string, header []byte) {
	media, params, err := mime.ParseMediaType(stored)
	if err != nil || media != "text/csv" || params["columns"] == "" {
		return stored, nil
	}
	contentType, columns := headed(media, params)
	return contentType, []byte(columns + "\n")
}

// headed turns the content type of a CSV record, which names its columns, into that of a body that begins with a line of them.
func headed(media string, params map[string]string) (contentType, columns string) {
	columns = params["columns"]
	delete(params, "columns")
	params["header"] = "present"
	return mime.FormatMediaType(media, params), columns
}
