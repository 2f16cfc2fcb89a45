package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Headers of a POST.
const (
	HeaderEventID   = "Trackmesh-Event-Id"
	HeaderSignature = "Trackmesh-Signature"
)

// Signature is the value of HeaderSignature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<unix seconds>.<body>">.
func Signature(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// newSecret makes a secret for a client that brings none.
func newSecret() string { return randomHex(32) }

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
