package otp

import (
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/common.lua
var commonLua string

//go:embed scripts/issue.lua
var issueLua string

//go:embed scripts/spend.lua
var spendLua string

//go:embed scripts/status.lua
var statusLua string

//go:embed scripts/retire.lua
var retireLua string

var (
	issueScript  = redis.NewScript(commonLua + issueLua)
	spendScript  = redis.NewScript(commonLua + spendLua)
	statusScript = redis.NewScript(commonLua + statusLua)
	retireScript = redis.NewScript(commonLua + retireLua)
)

// reply is what a script returned. A place that holds something else than asked
// for reads as its zero value: the scripts are ours, and tests hold them to
// their shape.
type reply []any

func (r reply) text(i int) string {
	s, _ := r.at(i).(string)
	return s
}

func (r reply) number(i int) int64 {
	n, _ := r.at(i).(int64)
	return n
}

func (r reply) duration(i int) time.Duration { return time.Duration(r.number(i)) * time.Millisecond }

func (r reply) time(i int) time.Time { return time.UnixMilli(r.number(i)) }

func (r reply) at(i int) any {
	if i < len(r) {
		return r[i]
	}
	return nil
}
