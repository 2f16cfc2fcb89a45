package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// sessionCookie carries the token of a browser that logged in.
const sessionCookie = "trackmesh_session"

// sessionAge is how long a browser stays logged in.
const sessionAge = 30 * 24 * time.Hour

// authenticate finds who asks: by the Authorization header, else by the cookie.
func (s *Server) authenticate(r *http.Request) (principal, error) {
	if s.opts.Tokens == nil {
		return principal{"anybody", roleAdmin}, nil
	}
	token := ""
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, value, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return principal{}, unauthorized("the Authorization header must be: Bearer <token>")
		}
		token = strings.TrimSpace(value)
	} else if c, err := r.Cookie(sessionCookie); err == nil {
		token = c.Value
	}
	if token == "" {
		return principal{}, unauthorized("a token is needed: Authorization: Bearer <token>, or log in")
	}
	who, ok := s.opts.Tokens.lookup(token)
	if !ok {
		return principal{}, unauthorized("the token is not known")
	}
	return who, nil
}

func unauthorized(detail string) *problem {
	return named(http.StatusUnauthorized, "unauthorized", detail)
}

// authorize lets a request pass when its caller has the role.
func (s *Server) authorize(r *http.Request, needs role) error {
	if needs == public {
		return nil
	}
	who, err := s.authenticate(r)
	if err != nil {
		return err
	}
	if who.role < needs {
		return named(http.StatusForbidden, "role", "this needs the role "+needs.String()+"; the token of "+who.name+" has "+who.role.String())
	}
	return nil
}

// checkHost refuses names that are not this machine when only this machine may call: a page elsewhere can point its own name here.
func (s *Server) checkHost(r *http.Request) error {
	if !s.opts.LocalOnly || isLocalHost(r.Host) {
		return nil
	}
	return named(http.StatusForbidden, "host", "this node answers to localhost only; --http-addr and --auth-tokens-file open it to others")
}

func isLocalHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// sessionState is the answer of /api/v1/session.
type sessionState struct {
	Auth bool   `json:"auth"` // whether tokens are needed at all
	Name string `json:"name,omitempty"`
	Role string `json:"role,omitempty"` // none when not logged in
}

// getSession tells a page who it is, and whether it must log in. It never fails for want of a token.
func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	state := sessionState{Auth: s.opts.Tokens != nil}
	if who, err := s.authenticate(r); err == nil {
		state.Name, state.Role = who.name, who.role.String()
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, state)
}

// postSession logs a browser in: the token goes into a cookie that scripts cannot read and other sites cannot send.
func (s *Server) postSession(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Token string `json:"token"`
	}
	if err := s.readJSON(w, r, &body); err != nil {
		return err
	}
	if s.opts.Tokens == nil {
		return writeJSON(w, http.StatusOK, sessionState{Name: "anybody", Role: roleAdmin.String()})
	}
	who, ok := s.opts.Tokens.lookup(body.Token)
	if !ok {
		return unauthorized("the token is not known")
	}
	http.SetCookie(w, s.cookie(body.Token, int(sessionAge.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, sessionState{Auth: true, Name: who.name, Role: who.role.String()})
}

func (s *Server) deleteSession(w http.ResponseWriter, _ *http.Request) error {
	http.SetCookie(w, s.cookie("", -1))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.opts.Secure, SameSite: http.SameSiteStrictMode,
	}
}
