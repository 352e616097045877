package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"portcullis/internal/estate"
)

// keeper writes a file only when all of it is there: what was under its name stays
// until then. That it can be written is found out before anything is read.
type keeper struct {
	path string
	file *os.File
}

// newKeeper takes a name under which there is nothing, or an estate that was saved
// before: anything else was not meant to be replaced.
func newKeeper(path string) (*keeper, error) {
	if path == "" {
		return &keeper{}, nil
	}
	target, mode, err := replaceable(path)
	if err != nil {
		return nil, fmt.Errorf("--save %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".portcullis-*")
	if err != nil {
		return nil, fmt.Errorf("--save %s: %w; name a file in a folder that can be written to", path, withoutPath(err))
	}
	k := &keeper{target, f}
	if err := f.Chmod(mode); err != nil {
		k.discard()
		return nil, fmt.Errorf("--save %s: %w", path, withoutPath(err))
	}
	return k, nil
}

// replaceable returns the file that a name stands for, by what links there are, and the
// rights to it. A new one is for nobody else.
func replaceable(path string) (target string, mode fs.FileMode, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return path, 0o600, nil
	}
	target, err = filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, errors.New("it is a link to nothing; name the file itself")
	}
	if err != nil {
		return "", 0, fmt.Errorf("%w; name another file", withoutPath(err))
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("%w; name another file", withoutPath(err))
	case info.IsDir():
		return "", 0, errors.New("it is a folder; name a file")
	case !info.Mode().IsRegular():
		return "", 0, errors.New("it is a device or a pipe and no file, so it cannot be replaced; name a file")
	}
	f, err := os.OpenFile(target, os.O_RDWR, 0) //nolint:gosec // the one who runs the command chooses the file
	if err != nil {
		return "", 0, fmt.Errorf("%w; name another file", withoutPath(err))
	}
	defer func() { _ = f.Close() }()
	head, err := io.ReadAll(io.LimitReader(f, 1024))
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("%w; name another file", withoutPath(err))
	case len(head) > 0 && !savedBefore.Match(head):
		return "", 0, errors.New("it is there and is no saved estate, so it is not replaced; name another file")
	}
	return target, info.Mode().Perm(), nil
}

// savedBefore is how every estate begins that was ever saved, also one that is cut off.
var savedBefore = regexp.MustCompile(`^\s*\{\s*"format"\s*:\s*"portcullis-estate"`)

// withoutPath is the cause of an error about a file, whose name is another one than
// anybody asked for.
func withoutPath(err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

func (k *keeper) keep(e estate.Estate) error {
	if k.file == nil {
		return nil
	}
	err := e.Write(k.file)
	if err == nil {
		err = k.file.Sync()
	}
	if err == nil {
		err = os.Rename(k.file.Name(), k.path)
	}
	if err != nil {
		return fmt.Errorf("--save %s: %w", k.path, err)
	}
	return nil
}

func (k *keeper) discard() {
	if k.file != nil {
		_ = k.file.Close()
		_ = os.Remove(k.file.Name()) // it has another name by now, if it was kept
	}
}
