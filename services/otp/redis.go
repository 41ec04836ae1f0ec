package otp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/redisconn"
	"matriq/pkg/seal"
)

// Limits of an address count in these windows.
const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// Store keeps everything of the service in Redis, under the prefix "otp:":
//
//	otp:listed         hash: canonical address → mailbox, as it was listed
//	otp:registered     hash: canonical address → when
//	otp:code:ADDRESS   hash: the challenge that is out
//	otp:asked:ADDRESS  list: when codes were issued, latest first
//	otp:failed:ADDRESS list: when guesses were wrong, latest first
//	otp:verified:ADDRESS hash: until when the address is verified
//	otp:source:NETWORK list: when the source asked, latest first
//	otp:guessed:NETWORK list: when the source guessed wrong, latest first
//
// All but the first two expire by themselves. They are kept by canonical address
// whether it is listed or not. Its errors, but for [RefusalError] and
// [ErrNotEligible], mean that Redis could not be asked or did not answer.
type Store struct {
	client  redis.UniversalClient
	scripts redis.Scripter // shares round trips among people
	rules   Rules
}

// NewStore returns a store that follows rules.
func NewStore(client redis.UniversalClient, rules Rules) *Store {
	return &Store{client: client, scripts: redisconn.NewShared(client), rules: rules}
}

// Ready returns nil when Redis answers.
func (s *Store) Ready(ctx context.Context) error {
	return s.client.Ping(ctx).Err()
}

// Ask is a request for a code.
type Ask struct {
	// Address is canonical.
	Address string
	// Source is the network to count under, or "".
	Source string
	// Once is the same for a repeat of this request, and for nothing else; empty
	// when it will not be repeated.
	Once string
	// Draw is what the code is made from, and Digest what a guess is held to.
	Draw   string
	Digest Digest
	// Refs are two to choose from.
	Refs [2]string
}

// Issued is a challenge that is out.
type Issued struct {
	Kind seal.Kind
	// Mailbox is where the mail goes; empty when nobody listed the address.
	Mailbox string
	Ref     string
	// Draw and Key are what the code is made from; Draw is not that of the request
	// when the request is a repeat.
	Draw, Key string
	At        time.Time
	Expires   time.Time
	// ResendAfter is how long until the next code may be asked for.
	ResendAfter time.Duration
}

// Issue replaces the challenge of an address by a new one, or finds the one that
// the same request has made before. It fails with a
// [RefusalError] when a limit forbids it and, with disclosure, with
// [ErrNotEligible].
func (s *Store) Issue(ctx context.Context, a Ask) (Issued, error) {
	p := s.limits()
	p["once"], p["address"], p["disclose"] = once(a.Once), a.Address, s.rules.Disclose
	p["ref"], p["other_ref"] = a.Refs[0], a.Refs[1]
	p["draw"], p["kid"], p["digest"] = a.Draw, a.Digest.Key, a.Digest.Sum
	p["ttl"], p["attempts"] = s.rules.TTL.Milliseconds(), s.rules.Attempts
	s.limitSource(p, a.Source, s.rules.SourceLimit)
	reply, err := s.run(ctx, issueScript, p,
		"otp:source:"+a.Source, askedKey(a.Address), failedKey(a.Address), codeKey(a.Address), listedKey, registeredKey)
	if err != nil {
		return Issued{}, fmt.Errorf("issue: %w", err)
	}
	switch outcome := reply.text(0); outcome {
	case "issued":
	case "not_eligible":
		return Issued{}, ErrNotEligible
	default:
		return Issued{}, &RefusalError{Reason: outcome, Wait: reply.duration(1)}
	}
	return Issued{
		ResendAfter: reply.duration(1),
		Kind:        seal.Kind(reply.text(2)),
		Ref:         reply.text(3),
		At:          reply.time(4),
		Expires:     reply.time(5),
		Mailbox:     reply.text(6),
		Draw:        reply.text(7),
		Key:         reply.text(8),
	}, nil
}

// Guess is a guess at the code of an address.
type Guess struct {
	// Address is canonical.
	Address string
	// Source is the network to count under, or "".
	Source string
	// Once is the same for a repeat of this guess, and for nothing else; empty when
	// it will not be repeated.
	Once string
	// Digests has the guess under each live key.
	Digests []Digest
}

// Verdict is what became of a guess.
type Verdict struct {
	// Right means that the code is spent and the address is verified.
	Right bool
	// Until is when the address stops being verified, by Redis's clock, and Mailbox
	// is where its mail goes, of a right guess alone.
	Until   time.Time
	Mailbox string
}

// Spend decides a guess. It fails with a [RefusalError] when its source has
// guessed wrong too often.
func (s *Store) Spend(ctx context.Context, g Guess) (Verdict, error) {
	digests := map[string]string{}
	for _, d := range g.Digests {
		digests[d.Key] = d.Sum
	}
	p := s.limits()
	p["once"], p["address"] = once(g.Once), g.Address
	p["digests"], p["verified_for"] = digests, s.rules.VerifiedFor.Milliseconds()
	s.limitSource(p, g.Source, s.rules.SourceGuessLimit)
	reply, err := s.run(ctx, spendScript, p,
		"otp:guessed:"+g.Source, codeKey(g.Address), failedKey(g.Address), verifiedKey(g.Address), listedKey)
	if err != nil {
		return Verdict{}, fmt.Errorf("spend: %w", err)
	}
	switch outcome := reply.text(0); outcome {
	case "right":
		return Verdict{Right: true, Until: reply.time(1), Mailbox: reply.text(2)}, nil
	case "wrong":
		return Verdict{}, nil
	default:
		return Verdict{}, &RefusalError{Reason: outcome, Wait: reply.duration(1)}
	}
}

// Standing is how an address stands.
type Standing struct {
	// Ref, ExpiresIn and AttemptsLeft are of the challenge that is out.
	Ref          string
	ExpiresIn    time.Duration
	AttemptsLeft int
	// ResendAfter is how long until the next code may be asked for.
	ResendAfter time.Duration
	Verified    bool
	// Mailbox is where mail goes; empty unless Verified.
	Mailbox string
}

// Status tells how an address stands, and changes nothing.
func (s *Store) Status(ctx context.Context, address string) (Standing, error) {
	p := s.limits()
	p["address"] = address
	reply, err := s.run(ctx, statusScript, p,
		codeKey(address), askedKey(address), failedKey(address), verifiedKey(address), listedKey)
	if err != nil {
		return Standing{}, fmt.Errorf("status: %w", err)
	}
	return Standing{
		Ref:          reply.text(0),
		ExpiresIn:    reply.duration(1),
		ResendAfter:  reply.duration(2),
		AttemptsLeft: int(reply.number(3)),
		Verified:     reply.number(4) == 1,
		Mailbox:      reply.text(5),
	}, nil
}

// Withdraw forgets the challenge of an address, and nothing else.
func (s *Store) Withdraw(ctx context.Context, address string) error {
	return s.client.Del(ctx, codeKey(address)).Err()
}

// Unlock is the operator's: it forgets what an address has got wrong and how
// often it asked, so that it can ask again at once. It tells whether there was
// anything to forget.
func (s *Store) Unlock(ctx context.Context, address string) (bool, error) {
	forgot, err := s.client.Del(ctx, failedKey(address), askedKey(address)).Result()
	if err != nil {
		return false, fmt.Errorf("unlock: %w", err)
	}
	return forgot > 0, nil
}

// Retire marks an address as registered, withdraws its challenge, and returns
// when it was first marked.
func (s *Store) Retire(ctx context.Context, address string) (time.Time, error) {
	reply, err := s.run(ctx, retireScript, map[string]any{"address": address}, codeKey(address), registeredKey)
	if err != nil {
		return time.Time{}, fmt.Errorf("retire: %w", err)
	}
	at, err := strconv.ParseInt(reply.text(0), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("retire: read the time: %w", err)
	}
	return time.UnixMilli(at), nil
}

// Listing is an address to be listed.
type Listing struct {
	// Address is canonical.
	Address string
	// Mailbox is its spelling as listed.
	Mailbox string
}

// List adds addresses in one round trip and returns how many were new. The first
// spelling of an address stays.
func (s *Store) List(ctx context.Context, all []Listing) (int, error) {
	if len(all) == 0 {
		return 0, nil
	}
	replies, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, l := range all {
			pipe.HSetNX(ctx, listedKey, l.Address, l.Mailbox)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("list: %w", err)
	}
	added := 0
	for _, reply := range replies {
		set, ok := reply.(*redis.BoolCmd)
		if ok && set.Val() {
			added++
		}
	}
	return added, nil
}

// once lets a script know its own request again, which the client of Redis makes
// twice when an answer is lost.
func once(given string) string { return cmp.Or(given, rand.Text()) }

// limits are the parameters that common.lua needs.
func (s *Store) limits() map[string]any {
	return map[string]any{
		"hour":             hour.Milliseconds(),
		"day":              day.Milliseconds(),
		"resend_after":     s.rules.ResendAfter.Milliseconds(),
		"per_hour":         s.rules.PerHour,
		"per_day":          s.rules.PerDay,
		"failures_per_day": s.rules.FailuresPerDay,
	}
}

// limitSource adds the parameters that a script needs to count a source.
func (s *Store) limitSource(p map[string]any, source string, limit int) {
	p["source_window"], p["source_limit"] = s.rules.SourceWindow.Milliseconds(), limit
	if source == "" {
		p["source_limit"] = 0
	}
}

// run runs a script by its hash, and loads it when Redis does not know it.
func (s *Store) run(ctx context.Context, script *redis.Script, params map[string]any, keys ...string) (reply, error) {
	p, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode the parameters: %w", err)
	}
	result, err := script.Run(ctx, s.scripts, keys, p).Result()
	if err != nil {
		return nil, err
	}
	if list, ok := result.([]any); ok {
		return list, nil
	}
	return reply{result}, nil
}

const (
	listedKey     = "otp:listed"
	registeredKey = "otp:registered"
)

func codeKey(address string) string     { return "otp:code:" + address }
func askedKey(address string) string    { return "otp:asked:" + address }
func failedKey(address string) string   { return "otp:failed:" + address }
func verifiedKey(address string) string { return "otp:verified:" + address }
