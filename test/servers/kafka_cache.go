//go:build real

package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// kafkaJars returns the directory of Kafka's jars, downloading them when nobody has yet.
func kafkaJars(ctx context.Context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	pom := filepath.Join(root, "tools", "servers", "kafka", "pom.xml")
	content, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content) // other coordinates, other directory
	return once("kafka-"+hex.EncodeToString(sum[:6]), func(into string) error {
		cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+into)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("downloading Kafka with mvn: %w\n%s", err, out)
		}
		return nil
	})
}

// once returns the cache's directory of that name; fill makes it, in one process of all, and never half.
func once(name string, fill func(into string) error) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name)
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // which lets go of the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	part, err := os.MkdirTemp(cache, name+".part")
	if err != nil {
		return "", err
	}
	if err := fill(part); err != nil {
		return "", errors.Join(err, os.RemoveAll(part))
	}
	return dir, os.Rename(part, dir)
}

func cacheDir() (string, error) {
	dir := os.Getenv("TRACKMESH_TEST_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "trackmesh")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// moduleRoot is the folder of go.mod above the working directory, which is the package's when tests run.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory: run this inside the repository")
		}
		dir = up
	}
}
