// Package ui is the pages on which a person registers: the address, the code,
// the names, and the student ID with what becomes of it.
//
// It holds nothing. A person's way through the pages, the journey, is a session
// in Redis, and everything else is asked from the two REST gateways, so that any
// replica serves any request and all of them can be replaced while people are
// half-way through. Each page belongs to one step of the journey; whoever asks
// for another page is led to the one of the own step. A form is answered with a
// redirect, also when something in it is wrong, so that reloading and going back
// repeat nothing. GET and HEAD change nothing: they make no session, set no
// cookie and write to no gateway.
//
// The first page is the same for everybody. It is rendered and compressed once,
// in both languages, and anybody may cache it. Everything works without
// JavaScript; the little there is counts down, follows the progress and keeps a
// form from being sent twice.
//
// When more people come than can be served, those who have not begun are asked at
// once to come later, before their session is read or a gateway is called; see
// package admission. Whoever has begun goes on.
//
// Not promised: that a session outlives Redis, or that what was typed is kept
// while Redis cannot be reached; the page then carries it in a form of its own.
package ui

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/admission"
	"matriq/pkg/service"
	"matriq/pkg/service/httpd"
)

// UI is the pages. It is safe for concurrent use.
type UI struct {
	cfg      Config
	log      *slog.Logger
	instance string
	hosts    hosts
	traced   bool
	redis    redis.UniversalClient
	sessions *sessions
	gateways *Gateways
	assets   assets
	voices   map[lang]*voice
	front    front
	gate     *admission.Gate
	busy     map[lang]busyPage
	requests *httpd.Requests
	csrf     *http.CrossOriginProtection
}

// New returns the pages. Neither Redis nor a gateway has to be there yet. The
// client must be of one Redis server or of sentinels' master.
func New(client redis.UniversalClient, gateways *Gateways, cfg Config, env service.Env) (*UI, error) {
	store, err := newStore(client, cfg.SessionIdle)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(store, cfg)
	if err != nil {
		return nil, err
	}
	u := &UI{
		cfg: cfg, log: env.Log, instance: env.Instance,
		hosts: newHosts(cfg), traced: env.Traced(),
		redis: client, sessions: sessions, gateways: gateways,
		requests: httpd.NewRequests(env.Name, env.Metrics),
		gate:     admission.New(admission.Options{Config: cfg.Admission, Steps: formsInAVisit, Service: env.Name, Metrics: env.Metrics}),
	}
	if u.assets, err = readAssets(); err != nil {
		return nil, err
	}
	if u.voices, err = u.newVoices(); err != nil {
		return nil, err
	}
	if u.front, err = u.newFront(); err != nil {
		return nil, err
	}
	if u.busy, err = u.newBusyPages(); err != nil {
		return nil, err
	}
	if u.csrf, err = u.newCSRF(); err != nil {
		return nil, err
	}
	return u, nil
}

// Ready tells whether sessions can be kept.
func (u *UI) Ready(ctx context.Context) error {
	if err := u.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
