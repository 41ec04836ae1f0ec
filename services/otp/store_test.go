package otp_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/seal"
	"matriq/services/otp"
)

// slack is what a real clock may run on while a test looks.
const slack = 5 * time.Second

// TestStore holds the store to its promises on every server it runs on.
func TestStore(t *testing.T) {
	t.Parallel()
	for server, begin := range backends() {
		for promise, check := range map[string]func(*testing.T, desk){
			"a right code works once":                rightCodeWorksOnce,
			"parallel right codes give one":          parallelRightCodes,
			"parallel guesses count as five":         parallelGuesses,
			"the sixth guess fails though right":     sixthGuess,
			"the newest code alone works":            newestCode,
			"a code expires":                         codeExpires,
			"the pause doubles":                      pauseDoubles,
			"five codes an hour":                     codesAnHour,
			"ten codes a day":                        codesADay,
			"twenty failures lock until tomorrow":    failuresLock,
			"an operator lifts a lock":               unlock,
			"a source has thirty requests":           sourceLimit,
			"a source has fifty wrong guesses":       sourceGuesses,
			"a decoy cannot be met":                  decoyCannotBeMet,
			"limits are the same for all":            sameLimits,
			"a code outlives a change of pepper":     rotation,
			"a listing keeps its first spelling":     listing,
			"retiring withdraws and keeps proof":     retiring,
			"withdrawing takes the code alone":       withdrawing,
			"proof lapses":                           proofLapses,
			"references of two mails differ":         references,
			"a guess without a code is no failure":   guessWithoutCode,
			"a request that is repeated counts once": repeatedRequest,
			"with disclosure nothing is kept":        disclosure,
		} {
			t.Run(server+"/"+promise, func(t *testing.T) {
				t.Parallel()
				check(t, newDesk(t, begin(t), rules(t)))
			})
		}
	}
}

func rightCodeWorksOnce(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	issued := d.mustAsk(t, right)
	if issued.Kind != seal.Code || issued.Mailbox == d.who || issued.Ref != "BCD" {
		t.Errorf("issued %+v", issued)
	}
	if life := issued.Expires.Sub(issued.At); life != 10*time.Minute || issued.ResendAfter != time.Minute {
		t.Errorf("life %v, resend after %v", life, issued.ResendAfter)
	}
	s := d.standing(t)
	if s.Ref != "BCD" || s.AttemptsLeft != 5 || s.Verified || s.ExpiresIn > 10*time.Minute || s.ExpiresIn < 10*time.Minute-slack {
		t.Errorf("before: %+v", s)
	}
	d.mustGuess(t, right, true)
	d.mustGuess(t, right, false)
	s = d.standing(t)
	if s.Ref != "" || s.ExpiresIn != 0 || s.AttemptsLeft != 0 || !s.Verified {
		t.Errorf("after: %+v", s)
	}
}

func parallelRightCodes(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	if n := succeed(t, 50, func(ctx context.Context) (bool, error) { return d.guess(ctx, right) }); n != 1 {
		t.Errorf("%d of 50 succeeded, want 1", n)
	}
}

func parallelGuesses(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	if n := succeed(t, 500, func(ctx context.Context) (bool, error) { return d.guess(ctx, wrong) }); n != 0 {
		t.Errorf("%d wrong guesses succeeded", n)
	}
	failures, err := d.client.LLen(t.Context(), "otp:failed:"+d.who).Result()
	if err != nil || failures != 5 {
		t.Errorf("%d failures are counted, %v, want 5", failures, err)
	}
	if s := d.standing(t); s.AttemptsLeft != 0 {
		t.Errorf("%d attempts are left", s.AttemptsLeft)
	}
	d.mustGuess(t, right, false)
}

// succeed counts the successes of n calls that run at the same time.
func succeed(t *testing.T, n int, call func(context.Context) (bool, error)) int64 {
	t.Helper()
	var all sync.WaitGroup
	var ok atomic.Int64
	begin := make(chan struct{})
	for range n {
		all.Go(func() {
			<-begin
			switch good, err := call(t.Context()); {
			case err != nil:
				t.Errorf("call: %v", err)
			case good:
				ok.Add(1)
			}
		})
	}
	close(begin)
	all.Wait()
	return ok.Load()
}

func sixthGuess(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	for left := 4; left >= 0; left-- {
		d.mustGuess(t, wrong, false)
		if s := d.standing(t); s.AttemptsLeft != left {
			t.Fatalf("%d attempts are left, want %d", s.AttemptsLeft, left)
		}
	}
	d.mustGuess(t, right, false)
	d.move(t, time.Minute)
	d.mustAsk(t, right)
	for range 4 {
		d.mustGuess(t, wrong, false)
	}
	d.mustGuess(t, right, true)
}

func newestCode(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	d.move(t, time.Minute)
	d.mustAsk(t, "555555")
	d.mustGuess(t, right, false)
	d.mustGuess(t, "555555", true)
}

func codeExpires(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	d.move(t, 10*time.Minute-slack)
	if s := d.standing(t); s.ExpiresIn > slack || s.AttemptsLeft != 5 {
		t.Errorf("shortly before: %+v", s)
	}
	d.move(t, slack)
	if s := d.standing(t); s.Ref != "" || s.ExpiresIn != 0 || s.AttemptsLeft != 0 {
		t.Errorf("after: %+v", s)
	}
	d.mustGuess(t, right, false)
}

func pauseDoubles(t *testing.T, d desk) {
	t.Helper()
	for _, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		if issued := d.mustAsk(t, right); issued.ResendAfter != pause {
			t.Fatalf("resend after %v, want %v", issued.ResendAfter, pause)
		}
		if wait := d.mustRefuse(t, "resend_too_soon"); wait > pause || wait < pause-slack {
			t.Fatalf("refused for %v, want %v", wait, pause)
		}
		d.move(t, pause)
	}
}

func codesAnHour(t *testing.T, d desk) {
	t.Helper()
	for _, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		d.mustAsk(t, right)
		d.move(t, pause)
	}
	last := d.mustAsk(t, right) // the fifth, 15 minutes after the first
	if want := 45 * time.Minute; last.ResendAfter > want || last.ResendAfter < want-slack {
		t.Errorf("after the fifth: %v, want %v", last.ResendAfter, want)
	}
	d.move(t, 16*time.Minute) // its own pause is over
	d.mustRefuse(t, "address_limit")
	d.move(t, 29*time.Minute)
	d.mustAsk(t, right)
}

func codesADay(t *testing.T, d desk) {
	t.Helper()
	for range 10 {
		d.mustAsk(t, right)
		d.move(t, time.Hour)
	}
	if wait := d.mustRefuse(t, "address_limit"); wait > 14*time.Hour || wait < 14*time.Hour-slack {
		t.Errorf("refused for %v, want 14h", wait)
	}
	d.move(t, 14*time.Hour)
	d.mustAsk(t, right)
	d.move(t, time.Minute)
	d.mustRefuse(t, "address_limit") // the second of yesterday still counts
}

func failuresLock(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	for range 4 {
		d.mustAsk(t, right)
		for range 5 {
			d.mustGuess(t, wrong, false)
		}
		d.move(t, time.Hour)
	}
	if wait := d.mustRefuse(t, "address_locked"); wait > 20*time.Hour || wait < 20*time.Hour-slack {
		t.Errorf("locked for %v, want 20h", wait)
	}
	if s := d.standing(t); s.ResendAfter > 20*time.Hour || s.ResendAfter < 20*time.Hour-slack {
		t.Errorf("status says %v, want 20h", s.ResendAfter)
	}
	d.move(t, 20*time.Hour)
	d.mustAsk(t, right)
	d.mustGuess(t, right, true)
}

func unlock(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	for range 4 {
		d.mustAsk(t, right)
		for range 5 {
			d.mustGuess(t, wrong, false)
		}
		d.move(t, time.Hour)
	}
	d.mustRefuse(t, "address_locked")
	for _, want := range []bool{true, false} {
		if forgot, err := d.Unlock(t.Context(), d.who); err != nil || forgot != want {
			t.Fatalf("unlock: %v, %v; want %v", forgot, err, want)
		}
	}
	d.mustAsk(t, right)
	d.mustGuess(t, right, true)
}

func sourceLimit(t *testing.T, d desk) {
	t.Helper()
	ask := func(who string) error {
		_, err := d.Issue(t.Context(), otp.Ask{Address: who, Source: d.source, Digest: d.pepper.Digest(who, right), Refs: [2]string{"BCD", "FGH"}})
		return err
	}
	for i := range 30 {
		if err := ask(address()); err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
	}
	refusal, ok := errors.AsType[*otp.RefusalError](ask(d.who))
	if !ok || refusal.Reason != "source_limit" || refusal.Wait > 10*time.Minute || refusal.Wait < 10*time.Minute-slack {
		t.Fatalf("request 31: %v", refusal)
	}
	d.mustAsk(t, right) // from elsewhere
	d.move(t, 10*time.Minute)
	if err := ask(address()); err != nil {
		t.Errorf("ten minutes later: %v", err)
	}
}

// Wrong guesses count at whatever address, right ones do not, and beyond the
// limit a code keeps what it bears.
func sourceGuesses(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	guess := func(who, code string) (bool, error) {
		verdict, err := d.Spend(t.Context(), otp.Guess{Address: who, Source: d.source, Digests: d.pepper.Digests(who, code)})
		return verdict.Right, err
	}
	for i := range 50 {
		if got, err := guess(address(), wrong); got || err != nil {
			t.Fatalf("wrong guess %d: %v, %v", i+1, got, err)
		}
		if i == 25 {
			if got, err := guess(d.who, right); !got || err != nil {
				t.Fatalf("right guess: %v, %v", got, err)
			}
			d.move(t, time.Minute)
			d.mustAsk(t, right)
		}
	}
	_, err := guess(d.who, right)
	refusal, ok := errors.AsType[*otp.RefusalError](err)
	if !ok || refusal.Reason != "source_limit" || refusal.Wait > 10*time.Minute || refusal.Wait < 8*time.Minute {
		t.Fatalf("guess 51: %v", err)
	}
	if left := d.standing(t).AttemptsLeft; left != 5 {
		t.Errorf("the code bears %d guesses, want 5", left)
	}
	d.mustGuess(t, right, true) // from elsewhere
	d.move(t, 10*time.Minute)
	if got, err := guess(address(), wrong); got || err != nil {
		t.Errorf("ten minutes later: %v, %v", got, err)
	}
}

func decoyCannotBeMet(t *testing.T, d desk) {
	t.Helper()
	if issued := d.mustAsk(t, right); issued.Kind != seal.DecoyUnlisted || issued.Mailbox != "" {
		t.Errorf("not listed: %+v", issued)
	}
	d.mustGuess(t, right, false)
	if s := d.standing(t); s.AttemptsLeft != 4 || s.Verified {
		t.Errorf("not listed: %+v", s)
	}
	d.list(t)
	d.mustGuess(t, right, false) // listed since, but the challenge is a decoy
	d.move(t, time.Minute)
	if _, err := d.Retire(t.Context(), d.who); err != nil {
		t.Fatal(err)
	}
	if issued := d.mustAsk(t, right); issued.Kind != seal.DecoyRegistered || issued.Mailbox == "" {
		t.Errorf("registered: %+v", issued)
	}
	d.mustGuess(t, right, false)
	if s := d.standing(t); s.AttemptsLeft != 4 || s.Verified {
		t.Errorf("registered: %+v", s)
	}
}

// sight is what a client could see of an address at one time.
type sight struct {
	refusal      string
	wait, resend time.Duration
	right        bool
	attemptsLeft int
}

// sameLimits takes a listed, a registered and an unlisted address through the
// same day, with everything that a client could see of it.
func sameLimits(t *testing.T, d desk) {
	t.Helper()
	listed := dayOf(t, d, func(d desk) { d.list(t) })
	unlisted := dayOf(t, d, func(desk) {})
	registered := dayOf(t, d, func(d desk) {
		d.list(t)
		if _, err := d.Retire(t.Context(), d.who); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.Equal(listed, unlisted) {
		t.Errorf("an address that is not listed is told apart:\n%+v\n%+v", listed, unlisted)
	}
	if !slices.Equal(listed, registered) {
		t.Errorf("an address that is registered is told apart:\n%+v\n%+v", listed, registered)
	}
	reasons := map[string]bool{}
	for _, s := range listed {
		reasons[s.refusal] = true
	}
	if len(reasons) < 4 {
		t.Errorf("the day met the limits %v, want all", reasons)
	}
}

func dayOf(t *testing.T, d desk, prepare func(desk)) []sight {
	t.Helper()
	d.who = address()
	prepare(d)
	var seen []sight
	guesses := 1 // few at first, to meet the limits of codes, then many
	for i := range 40 {
		if i == 16 {
			guesses = 6
		}
		issued, err := d.ask(t.Context(), right)
		s := sight{resend: issued.ResendAfter.Round(slack)}
		if refusal, ok := errors.AsType[*otp.RefusalError](err); ok {
			s.refusal, s.wait = refusal.Reason, refusal.Wait.Round(slack)
		}
		for range guesses {
			if s.right, err = d.guess(t.Context(), wrong); err != nil {
				t.Fatal(err)
			}
		}
		s.attemptsLeft = d.standing(t).AttemptsLeft
		seen = append(seen, s)
		d.move(t, []time.Duration{30 * time.Second, 10 * time.Minute, 40 * time.Minute, 5 * time.Hour}[i%4])
	}
	return seen
}

func rotation(t *testing.T, d desk) {
	t.Helper()
	first, second := "1:"+secret(), "2:"+secret()
	d.list(t)
	d.pepper = pepper(t, first)
	d.mustAsk(t, right)
	d.pepper = pepper(t, second+","+first)
	d.mustGuess(t, wrong, false)
	d.mustGuess(t, right, true)
	d.move(t, time.Minute)
	d.mustAsk(t, right)
	d.pepper = pepper(t, second)
	d.mustGuess(t, right, true)
	d.move(t, 2*time.Minute)
	d.mustAsk(t, right)
	d.pepper = pepper(t, first)
	d.mustGuess(t, right, false) // the old key alone is of no use
}

func listing(t *testing.T, d desk) {
	t.Helper()
	add := func(all ...otp.Listing) int {
		t.Helper()
		n, err := d.List(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first, second := otp.Listing{Address: d.who, Mailbox: "First@ku.ac.th"}, otp.Listing{Address: d.who, Mailbox: "second@ku.ac.th"}
	if n := add(first, second); n != 1 {
		t.Errorf("%d added, want 1", n)
	}
	if n := add(second); n != 0 {
		t.Errorf("%d added, want 0", n)
	}
	if n := add(); n != 0 {
		t.Errorf("%d added of none", n)
	}
	if issued := d.mustAsk(t, right); issued.Mailbox != "First@ku.ac.th" {
		t.Errorf("mail goes to %s", issued.Mailbox)
	}
}

func retiring(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	d.mustGuess(t, right, true)
	d.move(t, time.Minute)
	d.mustAsk(t, right)
	at, err := d.Retire(t.Context(), d.who)
	if err != nil || at.IsZero() {
		t.Fatalf("retire: %v, %v", at, err)
	}
	d.mustGuess(t, right, false)
	if s := d.standing(t); !s.Verified || s.Ref != "" {
		t.Errorf("after retiring: %+v", s)
	}
	d.move(t, time.Minute)
	again, err := d.Retire(t.Context(), d.who)
	if err != nil || !again.Equal(at) {
		t.Errorf("a repeat tells %v, %v, want %v", again, err, at)
	}
}

func withdrawing(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	d.mustGuess(t, wrong, false)
	if err := d.Withdraw(t.Context(), d.who); err != nil {
		t.Fatal(err)
	}
	d.mustGuess(t, right, false)
	d.mustRefuse(t, "resend_too_soon")
	if n := d.client.LLen(t.Context(), "otp:failed:"+d.who).Val(); n != 1 {
		t.Errorf("%d failures are counted, want 1", n)
	}
}

func proofLapses(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.mustAsk(t, right)
	d.mustGuess(t, right, true)
	d.move(t, 15*time.Minute-slack)
	if !d.standing(t).Verified {
		t.Error("the proof lapsed early")
	}
	d.move(t, slack)
	if d.standing(t).Verified {
		t.Error("the proof did not lapse")
	}
}

func references(t *testing.T, d desk) {
	t.Helper()
	var refs []string
	for _, pause := range []time.Duration{time.Minute, 2 * time.Minute, 0} {
		refs = append(refs, d.mustAsk(t, right).Ref)
		d.move(t, pause)
	}
	if refs[0] == refs[1] || refs[1] == refs[2] {
		t.Errorf("references %v", refs)
	}
}

func guessWithoutCode(t *testing.T, d desk) {
	t.Helper()
	for range 30 {
		d.mustGuess(t, wrong, false)
	}
	if n := d.client.Exists(t.Context(), "otp:failed:"+d.who, "otp:code:"+d.who, "otp:verified:"+d.who).Val(); n != 0 {
		t.Errorf("guesses without a code left %d keys", n)
	}
	d.list(t)
	d.mustAsk(t, right)
	d.mustGuess(t, right, true)
}

// twice sends every script a second time, as a client does whose connection
// broke before the answer, and returns the second answer.
type twice struct{}

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := next(ctx, cmd); err != nil {
			return err
		}
		return next(ctx, cmd)
	}
}

func repeatedRequest(t *testing.T, d desk) {
	t.Helper()
	d.list(t)
	d.client.AddHook(twice{})
	if issued := d.mustAsk(t, right); issued.Kind != seal.Code || issued.ResendAfter > time.Minute || issued.ResendAfter < time.Minute-slack {
		t.Errorf("issued %+v", issued)
	}
	d.mustGuess(t, wrong, false)
	if s := d.standing(t); s.AttemptsLeft != 4 {
		t.Errorf("%d attempts are left, want 4", s.AttemptsLeft)
	}
	d.mustGuess(t, right, true)
	d.mustGuess(t, right, false)
}

func disclosure(t *testing.T, d desk) {
	t.Helper()
	r := rules(t)
	r.Disclose = true
	open := newDesk(t, d.world, r)
	for range 3 {
		if _, err := open.ask(t.Context(), right); !errors.Is(err, otp.ErrNotEligible) {
			t.Fatalf("not listed: %v, want ErrNotEligible", err)
		}
	}
	open.list(t)
	if issued := open.mustAsk(t, right); issued.Kind != seal.Code {
		t.Errorf("listed: %+v", issued)
	}
	if _, err := open.Retire(t.Context(), open.who); err != nil {
		t.Fatal(err)
	}
	if _, err := open.ask(t.Context(), right); !errors.Is(err, otp.ErrNotEligible) {
		t.Errorf("registered: %v, want ErrNotEligible", err)
	}
}
