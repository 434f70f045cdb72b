package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// afterHangup is when the terminal is looked at again: a shell that ends tells its jobs before the terminal is gone.
const afterHangup = 2 * time.Second

// hangups turns SIGHUP into what it means. A process whose terminal was closed ends; a daemon, which has no terminal or
// still has it, reloads.
type hangups struct {
	signals chan os.Signal
	reload  chan struct{} // capacity 1
	daemon  chan struct{} // closed once this process is a daemon
	hadTTY  bool          // set before daemon is closed
}

// catchHangups begins to wait for SIGHUP, until ctx ends; end is called when it means the end. Where the signal is
// ignored, as nohup wants it, it stays ignored.
func catchHangups(ctx context.Context, end func()) *hangups {
	h := &hangups{signals: make(chan os.Signal, 1), reload: make(chan struct{}, 1), daemon: make(chan struct{})}
	if signal.Ignored(syscall.SIGHUP) {
		return h
	}
	signal.Notify(h.signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(h.signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-h.signals:
				h.meant(end)
			}
		}
	}()
	return h
}

func (h *hangups) meant(end func()) {
	select {
	case <-h.daemon:
	default:
		end()
		return
	}
	if h.gone() {
		end()
		return
	}
	time.AfterFunc(afterHangup, func() {
		if h.gone() {
			end()
		}
	})
	select {
	case h.reload <- struct{}{}:
	default: // one is waiting already
	}
}

// reloads makes this process a daemon: from now on SIGHUP asks it to reload, which the channel tells.
func (h *hangups) reloads() <-chan struct{} {
	h.hadTTY = hasTerminal()
	close(h.daemon)
	return h.reload
}

// gone reports that the daemon began with a terminal that is not there any more.
func (h *hangups) gone() bool { return h.hadTTY && !hasTerminal() }

func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}
