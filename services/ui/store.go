package ui

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/redisconn"
)

// keyPrefix is the part of Redis that belongs to the pages.
const keyPrefix = "ui:session:"

// storeTimeout bounds one command: a page that waits longer is better refused.
const storeTimeout = 3 * time.Second

// errStore marks failures of Redis, apart from sessions that cannot be read.
var errStore = errors.New("session store")

// store keeps sessions in Redis under the hash of their token, so that who reads
// Redis cannot take over a session.
//
// scs calls FindCtx and DeleteCtx. The other methods of its interface are there
// because it asks for them, and answer the same; goredisstore's would panic.
type store struct {
	shared *redisconn.Shared // for what each page needs
	inner  *goredisstore.RedisStore
	idle   time.Duration
}

// newStore needs a client of one server or of sentinels' master, the only kinds
// that goredisstore takes.
func newStore(client redis.UniversalClient, idle time.Duration) (*store, error) {
	single, ok := client.(*redis.Client)
	if !ok {
		return nil, fmt.Errorf("sessions need a client of one Redis master, not a %T", client)
	}
	return &store{shared: redisconn.NewShared(single), inner: goredisstore.NewWithPrefix(single, keyPrefix), idle: idle}, nil
}

// FindCtx reads a session and starts its idle time anew, in one command.
func (s *store) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	cmd := redis.NewStringCmd(ctx, "getex", keyPrefix+hash(token), "px", s.idle.Milliseconds())
	switch err := s.shared.Do(ctx, cmd); {
	case errors.Is(err, redis.Nil):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("%w: read: %w", errStore, err)
	}
	return []byte(cmd.Val()), true, nil
}

// CommitCtx writes a session, new or not.
func (s *store) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	// Redis takes a life of nothing for one without end.
	if !time.Now().Before(expiry) {
		return s.DeleteCtx(ctx, token)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.inner.CommitCtx(ctx, hash(token), data, expiry); err != nil {
		return fmt.Errorf("%w: write: %w", errStore, err)
	}
	return nil
}

// DeleteCtx ends a session.
func (s *store) DeleteCtx(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.inner.DeleteCtx(ctx, hash(token)); err != nil {
		return fmt.Errorf("%w: end: %w", errStore, err)
	}
	return nil
}

// replace writes a session only if it still exists: one that another request has
// renewed or ended meanwhile must not come back under its old token.
func (s *store) replace(ctx context.Context, token string, data []byte, life time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := s.shared.Do(ctx, redis.NewStatusCmd(ctx, "set", keyPrefix+hash(token), data, "px", max(1, life.Milliseconds()), "xx"))
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("%w: write: %w", errStore, err)
	}
	return nil
}

// move writes a session under a new token and ends the one under the token before,
// if any, in one round trip and in one step: a Redis that takes no more writes keeps
// the session, and whoever is told to try again still has its token.
func (s *store) move(ctx context.Context, before, token string, data []byte, life time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var err error
	set := redis.NewStatusCmd(ctx, "set", keyPrefix+hash(token), data, "px", life.Milliseconds())
	del := redis.NewIntCmd(ctx, "del", keyPrefix+hash(before))
	switch {
	case life < time.Millisecond: // Redis takes no life of nothing
		err = s.shared.Do(ctx, del)
	case before == "":
		err = s.shared.Do(ctx, set)
	default:
		err = s.shared.DoAll(ctx, set, del)
	}
	if err != nil {
		return fmt.Errorf("%w: move: %w", errStore, err)
	}
	return nil
}

// Find implements [scs.Store].
func (s *store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements [scs.Store].
func (s *store) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete implements [scs.Store].
func (s *store) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
