package checker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/trackmesh/trackmesh/broker"
)

// Read reads everything that was committed.
func Read(ctx context.Context, log broker.Log) (Outcome, error) {
	var o Outcome
	for p := range log.Layout().Partitions {
		for _, s := range []broker.Stream{broker.Enriched, broker.Events, broker.Dead} {
			records, err := committed(ctx, log, s, p)
			if err != nil {
				return o, fmt.Errorf("reading %s, partition %d: %w", s, p, err)
			}
			o.add(s, records)
		}
	}
	return o, nil
}

func (o *Outcome) add(s broker.Stream, records []broker.Record) {
	for i := range records {
		r := &records[i]
		switch s {
		case broker.Enriched:
			id, _ := r.Header("id")
			o.Documents, o.IDs = append(o.Documents, r.Value), append(o.IDs, string(id))
		case broker.Events:
			id, _ := r.Header("id")
			o.Events, o.IDs = append(o.Events, r.Value), append(o.IDs, string(id))
		default:
			reason, _ := r.Header("reason")
			o.Dead = append(o.Dead, Dead{string(reason), string(r.Value)})
		}
	}
}

func committed(ctx context.Context, log broker.Log, s broker.Stream, p int32) ([]broker.Record, error) {
	earliest, end, err := log.Bounds(ctx, s, p)
	if err != nil {
		return nil, err
	}
	r, err := log.NewReader(broker.ReaderOptions{Name: "checker"})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.Add(s, p, earliest)
	var all []broker.Record
	for next := earliest; next < end; {
		fetches, err := r.Poll(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range fetches {
			if f.Err != nil {
				return nil, f.Err
			}
			all, next = append(all, f.Records...), f.Next
		}
	}
	return all, nil
}

// CheckElasticsearch says what differs between the log and the documents of the indices with a prefix: each record of the log is there
// once, under its id.
func CheckElasticsearch(ctx context.Context, url, prefix string, o Outcome) ([]string, error) {
	stored := map[string]int{}
	ids := map[string]int{}
	if _, err := post(ctx, url+"/"+prefix+"-*/_refresh", ""); err != nil {
		return nil, err
	}
	page, err := post(ctx, fmt.Sprintf("%s/%[2]s-positions-*,%[2]s-events-*/_search?scroll=1m", url, prefix), `{"size":5000,"query":{"match_all":{}}}`)
	for ; err == nil && len(page.Hits.Hits) > 0; page, err = post(ctx, url+"/_search/scroll", fmt.Sprintf(`{"scroll":"1m","scroll_id":%q}`, page.ScrollID)) {
		for _, h := range page.Hits.Hits {
			ids[h.ID]++
			stored[Canonical(h.Source)]++
		}
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, id := range o.IDs {
		if ids[id] != 1 {
			found = append(found, fmt.Sprintf("id %s is stored %d times", id, ids[id]))
		}
		delete(ids, id)
	}
	for id := range ids {
		found = append(found, "stored, and not in the log: id "+id)
	}
	expected := Counted(append(append([][]byte{}, o.Documents...), o.Events...))
	return append(found, differences("stored document", expected, stored)...), nil
}

type searchAnswer struct {
	ScrollID string `json:"_scroll_id"`
	Hits     struct {
		Hits []struct {
			ID     string          `json:"_id"`
			Source json.RawMessage `json:"_source"`
		}
	}
}

func post(ctx context.Context, url, body string) (searchAnswer, error) {
	var a searchAnswer
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", resp.Status, raw)
	}
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(raw, &a)
}
