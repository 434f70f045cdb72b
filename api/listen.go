package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrAlreadyRunning reports that another daemon serves the same socket; the caller ends without touching its data.
var ErrAlreadyRunning = errors.New("another caro-node is running")

// maxSocketPath is the longest path that every system's sun_path (104 to 108 bytes) takes. It bounds the temporary name
// too, which is a few bytes longer than the usual one.
const maxSocketPath = 103

// socket is a listening unix socket that was put in its place with its final mode, under a lock.
type socket struct {
	net.Listener
	path  string // of the socket itself
	name  string // by which it is found: path, or a symbolic link to it
	locks []*os.File
	once  sync.Once
	err   error
}

// listenSocket makes a socket in the folder dir that is found by name; with an empty dir it is at name itself. A socket
// that a killed daemon left behind is replaced; a living daemon is not disturbed.
//
// What tells them apart is a lock on name+".lock", which the system releases however its holder ends. Looking at the
// socket alone would leave a race between two daemons that both find it dead. The socket has a lock as well where it is
// elsewhere, for daemons with other names that would put theirs in the same place.
func listenSocket(ctx context.Context, name, dir string) (_ *socket, err error) {
	s := &socket{path: name, name: name}
	if dir != "" {
		s.path = filepath.Join(dir, filepath.Base(name))
	}
	if err := checkSocketPath(s.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.unlock())
		}
	}()
	for _, p := range slices.Compact([]string{s.name, s.path}) {
		if err := s.take(ctx, p); err != nil {
			return nil, err
		}
	}
	// The socket is bound inside a private folder, so that nobody can connect before its mode is set.
	private, err := os.MkdirTemp(filepath.Dir(s.path), ".s")
	if err != nil {
		return nil, fmt.Errorf("prepare the API socket: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	temporary := filepath.Join(private, "s")
	if err := checkSocketPath(temporary); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", temporary)
	if err != nil {
		return nil, fmt.Errorf("listen on the API socket: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	if err := errors.Join(os.Chmod(temporary, 0o600), os.Rename(temporary, s.path), s.link()); err != nil {
		return nil, errors.Join(fmt.Errorf("put the API socket in its place: %w", err), l.Close())
	}
	s.Listener = l
	return s, nil
}

// take locks path and makes sure that what is there may be replaced.
func (s *socket) take(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the folder of the API socket: %w", err)
	}
	lock, err := takeLock(path)
	if err != nil {
		return err
	}
	s.locks = append(s.locks, lock)
	return checkReplaceable(ctx, path)
}

// link makes the socket be found by its name, in one step.
func (s *socket) link() error {
	if s.name == s.path {
		return nil
	}
	temporary := s.name + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(os.Symlink(s.path, temporary), os.Rename(temporary, s.name))
}

func (s *socket) unlock() error {
	var errs []error
	for _, l := range s.locks {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func checkSocketPath(path string) error {
	if path == "" || len(path) > maxSocketPath {
		return fmt.Errorf("path of the API socket %q has %d bytes, systems allow 1 to %d; choose a shorter CARO_HOME", path, len(path), maxSocketPath)
	}
	return nil
}

func takeLock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the API socket: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%w (or importing) and holds %s; stop it first, or set CARO_HOME for a second one", ErrAlreadyRunning, path)
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOSYS):
		err = nil // a file system without locks: checkReplaceable alone decides
	case err != nil:
		err = fmt.Errorf("lock the API socket: %w", err)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// Reserve keeps every daemon from starting at the socket until release is called, so that the caller alone may write the
// node's data meanwhile. Beside a running daemon it returns [ErrAlreadyRunning].
func Reserve(ctx context.Context, socket string) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the API socket: %w", err)
	}
	lock, err := takeLock(socket)
	if err != nil {
		return nil, err
	}
	if err := checkReplaceable(ctx, socket); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock.Close, nil
}

// checkReplaceable accepts an absent path, and a socket or a link to one at which nobody listens.
func checkReplaceable(ctx context.Context, path string) error {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the API socket: %w", err)
	case fi.Mode().Type() == os.ModeSymlink:
		target, err := os.Readlink(path)
		if err != nil {
			return fmt.Errorf("look at the API socket: %w", err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		if fi, err := os.Lstat(target); err == nil && fi.Mode().Type() == os.ModeSymlink {
			return fmt.Errorf("%s is in the way of the API socket and is not a socket; move it away", path)
		}
		return checkReplaceable(ctx, target)
	case fi.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is in the way of the API socket and is not a socket; move it away", path)
	}
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("%w and serves %s; stop it first, or set CARO_HOME for a second one", ErrAlreadyRunning, path), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return nil
	}
	return fmt.Errorf("find out whether the API socket is in use: %w", err)
}

// Close stops listening, removes the socket and releases the locks. Only the first call does something.
func (s *socket) Close() error {
	s.once.Do(func() {
		s.err = s.Listener.Close()
		for _, p := range slices.Compact([]string{s.name, s.path}) {
			if err := os.Remove(p); !errors.Is(err, os.ErrNotExist) {
				s.err = errors.Join(s.err, err)
			}
		}
		// The lock files stay: removing one would let two daemons lock two files of the same name.
		s.err = errors.Join(s.err, s.unlock())
	})
	return s.err
}

// loopback checks a TCP address and returns it with an IP literal, so that no resolver is ever asked.
func loopback(listen string) (string, error) {
	if listen == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("api.listen %q is not host:port, such as 127.0.0.1:9237", listen)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ap, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return "", fmt.Errorf("api.listen %q needs an IP address and a port number, such as 127.0.0.1:9237", listen)
	}
	if !ap.Addr().IsLoopback() || ap.Addr().Zone() != "" || ap.Addr().Is4In6() {
		return "", fmt.Errorf("api.listen %q is not a loopback address; the local API shows raw commands and is never served to other machines", listen)
	}
	return ap.String(), nil
}

func listenTCP(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port of the local API is in use: another program listens on %s; stop it or change api.listen: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the local API: %w", err)
	}
	return l, nil
}
