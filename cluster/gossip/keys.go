package gossip

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/memberlist"
)

// Keys are the gossip keys of a file: one in base64 a line (16, 24 or 32 bytes: AES-128, -192, -256), empty lines and lines with
// # are comments. Everything is encrypted with the first; all of them decrypt. Safe for many goroutines.
//
// To change the key without losing a member: add the new one as the last line everywhere, then make it the first line everywhere,
// then remove the old one everywhere.
type Keys struct {
	file string
	ring *memberlist.Keyring

	mu   sync.Mutex
	keys [][]byte // as in the file
}

// ReadKeys reads the file. An error says which line is wrong; it never holds a key.
func ReadKeys(file string) (*Keys, error) {
	keys, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	ring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Keys{file: file, ring: ring, keys: keys}, nil
}

func readKeyFile(file string) ([][]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: not base64", file, n)
		}
		if err := memberlist.ValidateKey(key); err != nil {
			return nil, fmt.Errorf("%s, line %d: %d bytes, a key has 16, 24 or 32: make one with: openssl rand -base64 32", file, n, len(key))
		}
		if !containsKey(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: there is no key: make one with: openssl rand -base64 32", file)
	}
	return keys, nil
}

func containsKey(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

// reload reads the file again and rotates. After an error the keys are as before. overlap is false when none of the former keys is
// left, or none of the new ones was known: the others cannot be heard until they have the same file.
func (k *Keys) reload() (changed, overlap bool, err error) {
	keys, err := readKeyFile(k.file)
	if err != nil {
		return false, true, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.EqualFunc(keys, k.keys, bytes.Equal) {
		return false, true, nil
	}
	for _, key := range keys {
		overlap = overlap || containsKey(k.keys, key)
	}
	if err := k.rotate(keys); err != nil {
		return false, true, fmt.Errorf("%s: %w", k.file, err)
	}
	k.keys = keys
	return true, overlap, nil
}

// rotate adds, uses, then removes. memberlist's RemoveKey moves keys inside a slice that others may be reading, unless the key is
// the last one: so those that stay are brought to the front first.
func (k *Keys) rotate(keys [][]byte) error {
	for _, key := range keys {
		if err := k.ring.AddKey(key); err != nil {
			return err
		}
	}
	gone := slices.DeleteFunc(slices.Clone(k.ring.GetKeys()), func(key []byte) bool { return containsKey(keys, key) })
	front := keys[:1]
	if len(gone) > 0 {
		front = keys
	}
	for _, key := range slices.Backward(front) {
		if err := k.ring.UseKey(key); err != nil {
			return err
		}
	}
	for _, key := range slices.Backward(gone) {
		if err := k.ring.RemoveKey(key); err != nil {
			return err
		}
	}
	return nil
}
