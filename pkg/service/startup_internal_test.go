package service

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// What starting left is collected once, when the program has started.
func TestStartup_TidiesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ready atomic.Bool
		var tidied atomic.Int32
		s := newStartup([]Check{{Name: "store", Ready: func(context.Context) error {
			if !ready.Load() {
				return errors.New("not yet")
			}
			return nil
		}}})
		s.tidy = func() { tidied.Add(1) }
		for _, step := range []struct {
			ready  bool
			status int
			tidied int32
		}{
			{false, http.StatusServiceUnavailable, 0}, {true, http.StatusOK, 1}, {false, http.StatusOK, 1}, {true, http.StatusOK, 1},
		} {
			ready.Store(step.ready)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/startupz", nil))
			synctest.Wait()
			if w.Code != step.status || tidied.Load() != step.tidied {
				t.Errorf("ready %v: %d after %d times, want %d after %d", step.ready, w.Code, tidied.Load(), step.status, step.tidied)
			}
		}
	})
}
