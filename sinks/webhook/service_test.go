package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/broker"
)

func TestAnEventIsPostedAsItIsSignedAndOnlyFromTheWebhooksBeginningOn(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	b.event("v1", "enter")
	b.put("ops", rc.URL)
	id := b.event("v1", "exit")
	rc.awaits(t, 1)
	r := rc.all()[0]
	require.Equal(t, id, r.id)
	require.Contains(t, string(r.body), `"type":"exit"`)
	stamp, given, ok := strings.Cut(strings.TrimPrefix(r.signature, "t="), ",v1=")
	require.True(t, ok, r.signature)
	mac := hmac.New(sha256.New, []byte("0123456789abcdef"))
	mac.Write([]byte(stamp + "." + string(r.body)))
	require.Equal(t, hex.EncodeToString(mac.Sum(nil)), given)
	require.Eventually(t, func() bool {
		w, err := b.service.Get(context.Background(), "ops")
		return err == nil && w.Lag == 0 && w.Delivery.Delivered == 1
	}, 10*time.Second, 5*time.Millisecond)
	require.Len(t, rc.all(), 1)
}

func TestAFilterLetsThroughWhatEachOfItsListsNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	all := newReceiver(t, fine)
	b.put("all", all.URL)
	filtered := map[string]*receiver{}
	for name, f := range map[string]Filter{
		"type":    {Types: []string{"exit"}},
		"vehicle": {Vehicles: []string{"v22"}},
		"fence":   {Fences: []string{"elsewhere"}},
		"box":     {BBox: []float64{-74, 40, -73, 41}, Types: []string{"enter"}, Vehicles: []string{"v1", "v22"}},
		"far":     {BBox: []float64{10, 40, 11, 41}},
	} {
		filtered[name] = newReceiver(t, fine)
		b.put(name, filtered[name].URL, func(c *Change) { c.Filter = f })
	}
	enter1, exit1, enter2 := b.event("v1", "enter"), b.event("v1", "exit"), b.event("v22", "enter")
	all.awaits(t, 3)
	for name, want := range map[string][]string{"type": {exit1}, "vehicle": {enter2}, "box": {enter1, enter2}, "fence": nil, "far": nil} {
		require.Eventually(t, func() bool {
			w, err := b.service.Get(context.Background(), name)
			return err == nil && w.Lag == 0
		}, 10*time.Second, 5*time.Millisecond, name)
		require.ElementsMatch(t, want, filtered[name].accepted(), name)
	}
}

func TestAReceiverThatFailsLosesNothingAndDelaysNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	away := newReceiver(t, func(int, *request) int { return http.StatusInternalServerError })
	well := newReceiver(t, fine)
	b.put("away", away.URL)
	b.put("well", well.URL)
	var want []string
	for i := range 40 {
		want = append(want, b.event(fmt.Sprintf("v%d", i%3), "enter"))
	}
	well.awaits(t, 40)
	require.Empty(t, away.accepted())
	require.Eventually(t, func() bool {
		w, err := b.service.Get(context.Background(), "away")
		return err == nil && w.Lag >= 40 && w.Err == "server: the receiver answered 500"
	}, 10*time.Second, 5*time.Millisecond)
	away.say(fine)
	away.awaits(t, 40)
	require.ElementsMatch(t, want, away.accepted())
	require.Eventually(t, func() bool {
		w, err := b.service.Get(context.Background(), "away")
		return err == nil && w.Lag == 0 && w.Err == "" && w.Delivery.LastError != ""
	}, 10*time.Second, 5*time.Millisecond, "it is well again, and still says what it was")
}

func TestAReceiverThatCannotBeReachedIsTriedUntilItIs(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	addr := rc.Listener.Addr().String()
	rc.Close()
	b.put("ops", "http://"+addr+"/hook?token=hidden")
	b.event("v1", "enter")
	var w Webhook
	require.Eventually(t, func() bool {
		var err error
		w, err = b.service.Get(context.Background(), "ops")
		return err == nil && w.Err != ""
	}, 10*time.Second, 5*time.Millisecond)
	require.Contains(t, w.Err, "unreachable")
	require.NotContains(t, w.Err, "hidden", "an address may hold a token")
}

func TestASlowReceiverDelaysNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	let := make(chan struct{})
	slow := newReceiver(t, fine)
	slow.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-let; slow.ServeHTTP(w, r) })
	well := newReceiver(t, fine)
	b.put("slow", slow.URL)
	b.put("well", well.URL)
	for range 20 {
		b.event("v1", "enter")
	}
	well.awaits(t, 20)
	require.Empty(t, slow.all())
	close(let)
	slow.awaits(t, 20)
}

func TestEventsOfAVehicleArriveInOrderHoweverOftenTheReceiverFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dice := rand.New(rand.NewPCG(1, 2))
	rc := newReceiver(t, func(int, *request) int {
		if dice.IntN(3) == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	b.put("ops", rc.URL)
	want := map[string][]string{}
	for i := range 300 {
		v := fmt.Sprintf("v%d", i%11)
		want[v] = append(want[v], b.event(v, "enter"))
	}
	rc.awaits(t, 300)
	got := map[string][]string{}
	twice := map[string]int{}
	for _, r := range rc.all() {
		if r.status == http.StatusOK {
			got[r.vehicle] = append(got[r.vehicle], r.id)
			twice[r.id]++
		}
	}
	require.Equal(t, want, got, "in order, and what was acknowledged is not sent again while the node lives")
}

func TestAReceiverThatRefusesNowAndThenIsNotTriedEverMoreSlowly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.stop()
	b.maxBackOff = time.Minute // as it would become
	b.start()
	rc := newReceiver(t, func(n int, _ *request) int {
		if n%3 == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	b.put("ops", rc.URL)
	for range 100 {
		b.event("v1", "enter") // one vehicle: each refusal ends an attempt
	}
	rc.awaits(t, 100)
}

func TestAKillBetweenThePostAndTheCursorRepeatsTheSameEvent(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	b.put("ops", rc.URL)
	b.log.forgets.Store(true)
	id := b.event("v1", "enter")
	rc.awaits(t, 1)
	ctx, kill := context.WithCancel(context.Background())
	kill()
	require.NoError(t, b.service.Stop(ctx))
	b.log.forgets.Store(false)
	b.start()
	next := b.event("v1", "exit")
	rc.awaits(t, 2)
	var seen []string
	for _, r := range rc.all() {
		seen = append(seen, r.id)
	}
	require.Equal(t, []string{id, id, next}, seen)
}

func TestAWebhookGoesOnAfterARestartWithoutRepeatingWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	b.put("ops", rc.URL)
	b.event("v1", "enter")
	rc.awaits(t, 1)
	b.stop()
	b.event("v1", "exit")
	b.start()
	rc.awaits(t, 2)
	require.Len(t, rc.all(), 2)
}

func TestASecretIsShownOnceAndKeptByAChangeWithoutOne(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	ctx := context.Background()
	w, secret, err := b.service.Put(ctx, "ops", Change{URL: rc.URL + "/a"}, nil)
	require.NoError(t, err)
	require.Len(t, secret, 64)
	require.Empty(t, w.Secret)
	_, again, err := b.service.Put(ctx, "ops", Change{URL: rc.URL + "/b"}, &w.Version)
	require.NoError(t, err)
	require.Empty(t, again)
	shown, err := b.service.List(ctx)
	require.NoError(t, err)
	doc, err := json.Marshal(shown)
	require.NoError(t, err)
	require.NotContains(t, string(doc), secret)
	b.event("v1", "enter")
	rc.awaits(t, 1)
	r := rc.all()[0]
	var at int64
	_, err = fmt.Sscanf(r.signature, "t=%d,", &at)
	require.NoError(t, err)
	require.Equal(t, Signature(secret, time.Unix(at, 0), r.body), r.signature)
}

func TestChangesAreJudgedByVersion(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	ctx, absent := context.Background(), int64(-1)
	w, _, err := b.service.Put(ctx, "ops", Change{URL: rc.URL}, &absent)
	require.NoError(t, err)
	_, _, err = b.service.Put(ctx, "ops", Change{URL: rc.URL}, &absent)
	require.ErrorIs(t, err, ErrVersion)
	wrong := w.Version + 100
	require.ErrorIs(t, b.service.Delete(ctx, "ops", &wrong), ErrVersion)
	require.NoError(t, b.service.Delete(ctx, "ops", &w.Version))
	require.ErrorIs(t, b.service.Delete(ctx, "ops", nil), ErrNotFound)
	_, err = b.service.Get(ctx, "ops")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestADeletedWebhookSendsNoMoreAndOneOfItsNameIsAnother(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rc := newReceiver(t, func(int, *request) int { return http.StatusBadGateway })
	b.put("ops", rc.URL)
	b.event("v1", "enter")
	require.Eventually(t, func() bool { return len(rc.all()) > 0 }, 10*time.Second, time.Millisecond)
	ctx := context.Background()
	known := b.service.board.current()
	old := &cursors{b.log, known["ops"]}
	require.NoError(t, b.service.Delete(ctx, "ops", nil))
	require.Eventually(t, func() bool {
		at, err := old.LoadCursors(ctx, "", broker.Events)
		return err == nil && at[0] == retired && at[1] == retired
	}, 10*time.Second, 5*time.Millisecond, "its cursors hold nothing back")
	rc.say(fine)
	b.put("ops", rc.URL)
	id := b.event("v1", "exit")
	rc.awaits(t, 1)
	require.Equal(t, []string{id}, rc.accepted(), "what the old one had not sent is not the new one's")
}

func TestARedirectIsARefusal(t *testing.T) {
	t.Parallel()
	b, elsewhere := newBench(t), newReceiver(t, fine)
	rc := newReceiver(t, func(int, *request) int { return http.StatusFound })
	rc.header.Set("Location", elsewhere.URL)
	b.put("ops", rc.URL)
	b.event("v1", "enter")
	require.Eventually(t, func() bool {
		w, err := b.service.Get(context.Background(), "ops")
		return err == nil && strings.Contains(w.Err, "answered 302")
	}, 10*time.Second, 5*time.Millisecond)
	require.Empty(t, elsewhere.all())
}

func TestBadDefinitionsAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	short := "short"
	for name, c := range map[string]struct {
		id     string
		change Change
		want   string
	}{
		"id":       {"a/b", Change{URL: "http://x"}, "1 to 64 letters"},
		"scheme":   {"a", Change{URL: "ftp://x"}, "http://"},
		"host":     {"a", Change{URL: "http:///x"}, "name a host"},
		"password": {"a", Change{URL: "http://u:p@x"}, "user or password"},
		"secret":   {"a", Change{URL: "http://x", Secret: &short}, "16 to 256"},
		"type":     {"a", Change{URL: "http://x", Filter: Filter{Types: []string{"entered"}}}, "no type of event"},
		"box":      {"a", Change{URL: "http://x", Filter: Filter{BBox: []float64{1, 2, 3}}}, "west, south"},
		"north":    {"a", Change{URL: "http://x", Filter: Filter{BBox: []float64{1, 3, 2, 2}}}, "above its north"},
		"degrees":  {"a", Change{URL: "http://x", Filter: Filter{BBox: []float64{1, 2, 200, 3}}}, "within"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := b.service.Put(context.Background(), c.id, c.change, nil)
			require.ErrorContains(t, err, c.want)
			var refused *InvalidError
			require.ErrorAs(t, err, &refused)
		})
	}
}

func TestWhatIsNoDefinitionInTheTopicStopsNothing(t *testing.T) {
	t.Parallel()
	b, rc := newBench(t), newReceiver(t, fine)
	_, err := b.log.Produce(context.Background(), []broker.Record{{Stream: broker.Webhooks, Key: []byte("odd"), Value: []byte("{")}})
	require.NoError(t, err)
	b.put("ops", rc.URL)
	b.event("v1", "enter")
	rc.awaits(t, 1)
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"type":"enter","vehicle":"v1","location":[1,2],"fence":{"id":"a"}}`), "enter", "v1", "yard", 1.5, -2.5)
	f.Fuzz(func(t *testing.T, raw []byte, kind, vehicle, fence string, lon, lat float64) {
		_, _ = readEvent(raw) // must not panic
		body, err := json.Marshal(map[string]any{
			"id": "x", "type": kind, "vehicle": vehicle, "location": []float64{lon, lat}, "fence": map[string]any{"name": "n", "id": fence}, "more": raw,
		})
		if err != nil {
			return // not a number
		}
		e, err := readEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		valid := func(s string) string { return string([]rune(s)) }
		if e.kind != valid(kind) || e.vehicle != valid(vehicle) || e.fence != valid(fence) || e.location.Lon != lon || e.location.Lat != lat || !e.located {
			t.Fatalf("%s was read as %+v", body, e)
		}
	})
}

func FuzzDefinition(f *testing.F) {
	f.Add("ops", []byte(`{"url":"https://example.org/","secret":"0123456789abcdef","filter":{"bbox":[1,2,3,4]},"cursor":"c","start":{"0":1}}`))
	f.Fuzz(func(t *testing.T, id string, value []byte) {
		d, err := parseDefinition(id, value, 1)
		if err != nil {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := parseDefinition(id, again, 1); err != nil || !e.sameAs(d) {
			t.Fatalf("%s is read as another: %v", again, err)
		}
	})
}
