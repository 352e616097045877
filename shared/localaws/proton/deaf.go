//go:build unix

package proton

import (
	"fmt"
	"net"
	"syscall"
)

// Deaf returns an endpoint to which no connection comes about, until the World is closed: whoever tries is kept waiting, as
// by an address behind which there is nothing any more. It rests on how Linux treats a listener whose queue is full: it
// lets what comes be tried again and again (listen(2), tcp(7)).
func (s *Service) Deaf() (url string, err error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	s.world.OnClose(func() { _ = l.Close() })
	raw, err := l.SyscallConn()
	if err != nil {
		return "", fmt.Errorf("shortening the queue of a listener: %w", err)
	}
	var shortened error
	if err := raw.Control(func(fd uintptr) { shortened = syscall.Listen(int(fd), 0) }); err != nil { //nolint:gosec // G115: it is one
		return "", fmt.Errorf("shortening the queue of a listener: %w", err)
	}
	if shortened != nil {
		return "", fmt.Errorf("shortening the queue of a listener: %w", shortened)
	}
	only, err := net.Dial("tcp", l.Addr().String()) // the one that has room
	if err != nil {
		return "", fmt.Errorf("filling the queue of a listener: %w", err)
	}
	s.world.OnClose(func() { _ = only.Close() })
	return "http://" + l.Addr().String(), nil
}
