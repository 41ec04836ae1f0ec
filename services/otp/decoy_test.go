package otp_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

// cases are the three kinds of addresses that nobody outside may tell apart.
func cases() map[string]func(*testing.T, desk) {
	return map[string]func(*testing.T, desk){
		"listed":   func(t *testing.T, d desk) { t.Helper(); d.list(t) },
		"unlisted": func(*testing.T, desk) {},
		"registered": func(t *testing.T, d desk) {
			t.Helper()
			d.list(t)
			if _, err := d.Retire(t.Context(), d.who); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// A decoy costs Redis the same commands in the same order as a code.
func TestStore_decoysRunTheSameCommands(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for name, prepare := range cases() {
		w, redis := withServer(t)
		d := newDesk(t, w, rules(t))
		prepare(t, d)
		d.mustAsk(t, right) // the scripts are loaded
		d.move(t, time.Minute)

		var mu sync.Mutex
		var commands []string
		redis.Server().SetPreHook(func(_ *server.Peer, cmd string, args ...string) bool {
			if cmd != "EVALSHA" && cmd != "EVAL" { // what the scripts run, not what runs them
				mu.Lock()
				defer mu.Unlock()
				commands = append(commands, cmd+" "+masked(d.who, args))
			}
			return false
		})
		d.mustAsk(t, right)
		for range 6 {
			d.mustGuess(t, wrong, false)
		}
		d.standing(t)
		d.mustRefuse(t, "resend_too_soon")
		redis.Server().SetPreHook(nil)
		seen[name] = commands
	}
	if len(seen["listed"]) < 50 {
		t.Fatalf("only %d commands were seen", len(seen["listed"]))
	}
	for _, name := range []string{"unlisted", "registered"} {
		if !slices.Equal(seen[name], seen["listed"]) {
			t.Errorf("an address that is %s runs\n%s\nand one that is listed\n%s",
				name, strings.Join(seen[name], "\n"), strings.Join(seen["listed"], "\n"))
		}
	}
}

// masked hides what differs between any two addresses, and the kind.
func masked(who string, args []string) string {
	out := make([]string, 0, len(args))
	for i, arg := range args {
		switch {
		case i > 0 && (args[i-1] == "digest" || args[i-1] == "issue" || args[i-1] == "guess" || args[i-1] == "kid" || args[i-1] == "kind"):
			arg = "*"
		default:
			arg = strings.ReplaceAll(arg, who, "ADDRESS")
		}
		out = append(out, arg)
	}
	return strings.Join(out, " ")
}

// What a decoy leaves in Redis has the same keys, fields, lengths and expiry as
// what a code leaves.
func TestStore_decoysLeaveTheSame(t *testing.T) {
	t.Parallel()
	for backend, begin := range backends() {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			seen := map[string][]string{}
			for name, prepare := range cases() {
				d := newDesk(t, begin(t), rules(t))
				prepare(t, d)
				d.mustAsk(t, right)
				for range 6 {
					d.mustGuess(t, wrong, false)
				}
				seen[name] = traces(t, d)
			}
			if len(seen["listed"]) != 3 {
				t.Errorf("a listed address leaves %v, want the code, what it asked and what failed", seen["listed"])
			}
			for _, name := range []string{"unlisted", "registered"} {
				if !slices.Equal(seen[name], seen["listed"]) {
					t.Errorf("an address that is %s leaves\n%v\nand one that is listed\n%v", name, seen[name], seen["listed"])
				}
			}
		})
	}
}

func traces(t *testing.T, d desk) []string {
	t.Helper()
	ctx := t.Context()
	var found []string
	for _, key := range d.client.Keys(ctx, "otp:*:"+d.who).Val() {
		shape := ""
		switch kind := d.client.Type(ctx, key).Val(); kind {
		case "list":
			shape = fmt.Sprint(d.client.LLen(ctx, key).Val())
		case "hash":
			fields := d.client.HKeys(ctx, key).Val()
			slices.Sort(fields)
			shape = strings.Join(fields, ",")
		default:
			t.Errorf("%s is a %s", key, kind)
		}
		life := d.client.PTTL(ctx, key).Val().Round(slack)
		found = append(found, strings.ReplaceAll(key, d.who, "ADDRESS")+" "+shape+" "+life.String())
	}
	slices.Sort(found)
	return found
}

// Nothing that is kept of a code tells it, nor is it the same for two people.
func TestStore_keepsNoCode(t *testing.T) {
	t.Parallel()
	w, redis := withServer(t)
	d := newDesk(t, w, rules(t))
	d.list(t)
	d.mustAsk(t, right)
	if dump := redis.Dump(); strings.Contains(dump, right) {
		t.Errorf("the code is readable:\n%s", dump)
	}
	other := d
	other.who = address()
	other.mustAsk(t, right)
	if a, b := redis.HGet("otp:code:"+d.who, "digest"), redis.HGet("otp:code:"+other.who, "digest"); a == b || len(a) != 64 {
		t.Errorf("two people's digests of one code are %s and %s", a, b)
	}
	if redis.HGet("otp:code:"+d.who, "digest") == newDesk(t, w, rules(t)).pepper.Digest(d.who, right).Sum {
		t.Error("another pepper makes the same digest")
	}
}

// Whatever Redis says, a code is not accepted when it cannot be asked.
func TestStore_down(t *testing.T) {
	t.Parallel()
	w, redis := withServer(t)
	d := newDesk(t, w, rules(t))
	d.list(t)
	d.mustAsk(t, right)
	for _, fault := range []string{"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.", "OOM command not allowed when used memory > 'maxmemory'."} {
		redis.SetError(fault)
		if ok, err := d.guess(t.Context(), right); ok || err == nil {
			t.Errorf("%s: guess = %v, %v", fault, ok, err)
		}
		if _, err := d.ask(t.Context(), right); err == nil {
			t.Errorf("%s: a code was issued", fault)
		}
		if _, err := d.Status(t.Context(), d.who); err == nil {
			t.Errorf("%s: a status was told", fault)
		}
		if err := d.Ready(t.Context()); err == nil {
			t.Errorf("%s: the store is ready", fault)
		}
	}
	redis.SetError("")
	d.mustGuess(t, right, true)
}
