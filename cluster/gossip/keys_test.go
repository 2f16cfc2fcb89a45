package gossip

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trackmesh/trackmesh/cluster"
)

func keyFile(t *testing.T, keys ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	writeKeys(t, file, keys...)
	return file
}

func writeKeys(t *testing.T, file string, keys ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte("# gossip keys\n\n"+strings.Join(keys, "\n")+"\n"), 0o600))
}

func newKey(t *testing.T) string {
	t.Helper()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(key)
}

func keysOf(t *testing.T, file string) *Keys {
	t.Helper()
	k, err := ReadKeys(file)
	require.NoError(t, err)
	return k
}

func TestNodesWithWrongKeysNeverJoinAndSayWhy(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, keys := range map[string][2]string{"other keys": {key, newKey(t)}, "we have none": {key, ""}, "they have none": {"", key}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var nodes []*node
			for i, k := range keys {
				o := Options{Name: fmt.Sprint("n", i)}
				if k != "" {
					o.Keys = keysOf(t, keyFile(t, k))
				}
				nodes = append(nodes, start(t, o))
			}
			err := nodes[1].Join(t.Context(), []string{nodes[0].Addr()})
			require.ErrorContains(t, err, "--gossip-key-file")
			require.Eventually(t, func() bool { return strings.Contains(nodes[0].log.String(), "--gossip-key-file") }, soon, tick)
			require.NotContains(t, err.Error()+nodes[0].log.String(), key)
			require.Equal(t, []string{"n0"}, nodes[0].names())
			require.Equal(t, []string{"n1"}, nodes[1].names())
		})
	}
}

func TestNodesOfAnotherClusterNeverJoin(t *testing.T) {
	t.Parallel()
	a, b := start(t, Options{Name: "a", Cluster: "one"}), start(t, Options{Name: "b", Cluster: "two"})
	require.ErrorContains(t, b.Join(t.Context(), []string{a.Addr()}), "--group")
	require.Eventually(t, func() bool { return strings.Contains(a.log.String(), "gossip of another cluster refused") }, soon, tick)
	require.Len(t, a.Members(), 1)
}

func TestKeysRotateWithoutLosingAMember(t *testing.T) {
	t.Parallel()
	older, newer := newKey(t), newKey(t)
	var files []string
	var nodes []*node
	for _, name := range []string{"a", "b", "c"} {
		file := keyFile(t, older)
		n := start(t, Options{Name: name, Keys: keysOf(t, file), tune: calm})
		if len(nodes) > 0 {
			require.NoError(t, n.Join(t.Context(), []string{nodes[0].Addr()}))
		}
		files, nodes = append(files, file), append(nodes, n)
	}
	for step, keys := range [][]string{{older, newer}, {newer, older}, {newer}} {
		for i, n := range nodes {
			writeKeys(t, files[i], keys...)
			n.ReloadKeys()
		}
		nodes[step].SetRunning([]cluster.Running{{Partition: int32(step), Term: 5}})
		for _, n := range nodes {
			require.Eventually(t, func() bool {
				owner, _, ok := cluster.Owner(n.Members(), int32(step))
				return ok && owner.Name == nodes[step].opts.Name
			}, soon, tick)
		}
	}
	for _, n := range nodes {
		require.Equal(t, []string{"a", "b", "c"}, n.names())
		require.NotContains(t, n.log.String(), "died")
		require.Contains(t, n.log.String(), "gossip keys changed")
	}
	late := start(t, Options{Name: "d", Keys: keysOf(t, keyFile(t, older))})
	require.Error(t, late.Join(t.Context(), []string{nodes[0].Addr()}), "the old key opens nothing any more")
}

func TestABadKeyFileIsNamedByItsLineAndChangesNothing(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for text, want := range map[string]string{
		"":                        "there is no key",
		"# only words\n":          "there is no key",
		key + "\n???":             "line 2: not base64",
		"c2hvcnQ=":                "line 1: 5 bytes",
		"# x\n\n" + key[:20] + "": "line 3",
	} {
		file := filepath.Join(t.TempDir(), "keys")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := ReadKeys(file)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), key)
	}
	_, err := ReadKeys(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := keyFile(t, key)
	a := start(t, Options{Name: "a", Keys: keysOf(t, file)})
	require.NoError(t, os.WriteFile(file, []byte("???"), 0o600))
	a.ReloadKeys()
	a.ReloadKeys()
	require.Equal(t, 1, strings.Count(a.log.String(), "gossip keys not read again"))
	require.Len(t, a.opts.Keys.ring.GetKeys(), 1)
	writeKeys(t, file, newKey(t))
	a.ReloadKeys()
	require.Contains(t, a.log.String(), "all gossip keys were replaced at once")
}
