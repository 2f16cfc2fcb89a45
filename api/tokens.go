package api

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// role is what a caller may do; each includes those below it.
type role uint8

const (
	public    role = iota // no token needed
	roleRead              // ask
	roleWrite             // send positions and messages, change fences
	roleAdmin             // read the log as it stands
)

func (r role) String() string { return [...]string{"public", "read", "write", "admin"}[r] }

// Tokens says who may do what. It keeps the hashes of tokens only.
type Tokens struct {
	byHash map[[sha256.Size]byte]principal
}

// principal is who a request is made for.
type principal struct {
	name string
	role role
}

// ReadTokens reads lines of name, role (read, write or admin) and the token's SHA-256 in hex, separated by blanks. Empty lines and
// those that begin with # are passed over. All bad lines are reported at once.
func ReadTokens(r io.Reader) (*Tokens, error) {
	t := &Tokens{byHash: map[[sha256.Size]byte]principal{}}
	var errs []error
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := t.add(strings.Fields(line)); err != nil {
			errs = append(errs, fmt.Errorf("line %d of the tokens: %w", n, err))
		}
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, fmt.Errorf("reading the tokens: %w", err))
	}
	if len(errs) == 0 && len(t.byHash) == 0 {
		errs = append(errs, errors.New("the tokens' file holds no token, so nobody could come in"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return t, nil
}

func (t *Tokens) add(fields []string) error {
	if len(fields) != 3 {
		return fmt.Errorf("wants name, role and sha256, has %d fields", len(fields))
	}
	roles := map[string]role{"read": roleRead, "write": roleWrite, "admin": roleAdmin}
	r, ok := roles[fields[1]]
	if !ok {
		return fmt.Errorf("role %q is none of read, write, admin", fields[1])
	}
	digest, err := hex.DecodeString(fields[2])
	if err != nil || len(digest) != sha256.Size {
		return errors.New("the third field is no SHA-256 in hex")
	}
	hash := [sha256.Size]byte(digest)
	if _, twice := t.byHash[hash]; twice {
		return errors.New("the token stands there already")
	}
	t.byHash[hash] = principal{fields[0], r}
	return nil
}

// lookup finds whose token it is. That the time of a map look-up depends on the hash tells nothing of the token.
func (t *Tokens) lookup(token string) (principal, bool) {
	who, ok := t.byHash[sha256.Sum256([]byte(token))]
	return who, ok
}
