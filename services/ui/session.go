package ui

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
)

// journeyKey is the one value in a session.
const journeyKey = "journey"

// sessions finds and keeps journeys by the cookie.
//
// scs's own middleware is not used: with an idle time it writes the session and
// the cookie at the end of every request, also of one that only looked. A poll
// that was under way while the person proved the address would then bring the
// old session back and put its cookie over the new one. Here a GET writes
// nothing: Redis starts the idle time anew when it is read, and the cookie has
// no time of its own.
type sessions struct {
	manager *scs.SessionManager
	store   *store
}

func newSessions(s *store, cfg Config) (*sessions, error) {
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	m := scs.New()
	m.Store, m.Codec = s, codec
	m.IdleTimeout = cfg.SessionIdle
	m.Lifetime = cfg.SessionLifetime
	m.Cookie.Name = "sid"
	if cfg.secure() {
		m.Cookie.Name = "__Host-sid"
		m.Cookie.Secure = true
	}
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Path = "/"
	m.Cookie.Persist = false
	return &sessions{manager: m, store: s}, nil
}

// session is the one of a request, found or not. Its context is scs's.
type session struct {
	all *sessions
	ctx context.Context //nolint:containedctx // scs keeps a session's data in a context
	// cookie is true when the browser sent one, whether or not it still counts.
	cookie bool
	found  bool
}

// open finds the session of r. It makes none.
func (s *sessions) open(r *http.Request) (*session, journey, error) {
	none := &session{all: s}
	token := ""
	if c, err := r.Cookie(s.manager.Cookie.Name); err == nil {
		token, none.cookie = c.Value, true
	}
	ctx, err := s.manager.Load(r.Context(), token)
	if err != nil && !errors.Is(err, errStore) {
		ctx, err = s.manager.Load(r.Context(), "") // of a version that is no more: as if it had ended
	}
	if err != nil {
		return nil, journey{}, err
	}
	none.ctx = ctx
	data := s.manager.GetBytes(ctx, journeyKey)
	// Reading starts the idle time anew; the end of its life a session knows
	// itself.
	if len(data) == 0 || !time.Now().Before(s.manager.Deadline(ctx)) {
		return none, journey{}, nil
	}
	var j journey
	none.found = json.Unmarshal(data, &j) == nil
	return none, j, nil
}

// save keeps j under the token that the browser has. A session that has gone
// meanwhile stays gone, and whatever cookie the browser holds by now decides
// where the person is.
func (s *session) save(j journey) error {
	m := s.all.manager
	data, life, err := s.all.write(j, m.Deadline(s.ctx))
	if err != nil || life <= 0 {
		return err
	}
	return s.all.store.replace(s.ctx, m.Token(s.ctx), data, life)
}

// write returns j as a session that ends at end, and how long Redis is to keep it
// when nobody comes.
func (s *sessions) write(j journey, end time.Time) ([]byte, time.Duration, error) {
	text, err := json.Marshal(j) //nolint:gosec // the journey is meant to be stored, in Redis alone
	if err != nil {
		return nil, 0, fmt.Errorf("write journey: %w", err)
	}
	data, err := s.manager.Codec.Encode(end, map[string]any{journeyKey: text})
	if err != nil {
		return nil, 0, fmt.Errorf("write session: %w", err)
	}
	return data, min(s.manager.IdleTimeout, time.Until(end)), nil
}

// begin keeps j in a session with a new token and its whole life ahead.
func (s *session) begin(w http.ResponseWriter, j journey) error {
	return s.move(w, j, time.Now().Add(s.all.manager.Lifetime))
}

// renew keeps j under a new token; the session ends when it would have ended.
func (s *session) renew(w http.ResponseWriter, j journey) error {
	return s.move(w, j, s.all.manager.Deadline(s.ctx))
}

// move does not leave it to scs, which takes two round trips.
func (s *session) move(w http.ResponseWriter, j journey, end time.Time) error {
	m := s.all.manager
	data, life, err := s.all.write(j, end.UTC())
	if err != nil {
		return err
	}
	token := newToken()
	if err := s.all.store.move(s.ctx, m.Token(s.ctx), token, data, life); err != nil {
		return err
	}
	m.WriteSessionCookie(s.ctx, w, token, end)
	s.found = true
	return nil
}

// newToken is 256 bits that nobody can guess. Reading random bytes never fails.
func newToken() string {
	var bits [32]byte
	rand.Read(bits[:])
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// end destroys the session and takes the cookie back.
func (s *session) end(w http.ResponseWriter) error {
	if !s.found {
		return nil
	}
	if err := s.all.manager.Destroy(s.ctx); err != nil {
		return err
	}
	s.all.manager.WriteSessionCookie(s.ctx, w, "", time.Time{})
	s.found = false
	return nil
}
