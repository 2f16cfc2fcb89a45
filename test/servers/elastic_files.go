//go:build real

package servers

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// elasticsearchDistribution returns the directory of the unpacked distribution, downloading it when nobody has yet.
func elasticsearchDistribution(ctx context.Context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	pom := filepath.Join(root, "tools", "servers", "elasticsearch", "pom.xml")
	content, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content) // other coordinates, other directory
	return once("elasticsearch-"+hex.EncodeToString(sum[:6]), func(into string) error {
		cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+into)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("downloading Elasticsearch with mvn: %w\n%s", err, out)
		}
		archives, err := filepath.Glob(filepath.Join(into, "*.zip"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("mvn brought %d archives, not one (%w)", len(archives), err)
		}
		return errors.Join(unpack(archives[0], into), os.Remove(archives[0]))
	})
}

// unpack unpacks an archive without its top folder. Everybody may read the files: the server runs as another user.
func unpack(archive, into string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		_, name, _ := strings.Cut(f.Name, "/")
		if name == "" || f.FileInfo().IsDir() {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the archive holds %q", f.Name)
		}
		if err := unpackFile(f, filepath.Join(into, name)); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(f *zip.File, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	mode := fs.FileMode(0o644)
	if f.Mode()&0o100 != 0 {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // #nosec G110 -- a release of Elasticsearch
	return errors.Join(err, out.Close())
}

// shareTree makes to the same tree as from, by links where both are on one file system.
func shareTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if os.Link(path, target) == nil {
			return nil
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// giveAway gives a tree to the unprivileged user, but for the shared files in it, which it only reads.
func giveAway(dir, but string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == but {
			return fs.SkipDir
		}
		return os.Lchown(path, unprivileged, unprivileged)
	})
}

// javaHome is JAVA_HOME, else where the java on the path is.
func javaHome() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return home, nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("looking for Java: %w", err)
	}
	java, err = filepath.EvalSymlinks(java)
	if err != nil {
		return "", err
	}
	return filepath.Dir(filepath.Dir(java)), nil
}
