package redisconn

import (
	"context"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/group"
)

// Shared sends commands that are there at the same time in one pipeline: what comes
// while one is under way goes with the next, so that a crowd shares the system calls
// that each command costs Redis and its client. Who comes alone waits for nobody.
//
// Commands are independent of each other, but for those of one [Shared.DoAll]: each has its
// own result and error, and others may be done between any two. A connection that says nothing holds up those
// who come meanwhile as well, for the time limit of an answer at each of go-redis's tries.
type Shared struct {
	// Scripter is the client itself, for what is seldom done.
	redis.Scripter

	client redis.UniversalClient
	group  *group.Group[asked]
}

// asked is a command with the context of who waits for it.
type asked struct {
	ctx   context.Context //nolint:containedctx // nobody waits any more when it has ended
	ahead []redis.Cmder   // go before it, with nothing between
	cmd   redis.Cmder
}

// NewShared returns what shares the pipelines of client.
func NewShared(client redis.UniversalClient) *Shared {
	s := &Shared{Scripter: client, client: client}
	s.group = group.New(0, 1, s.send)
	return s
}

// Do sends cmd and returns its error. When ctx ends first it is the error of ctx, and
// cmd, which is done only if it is under way by then, is not the caller's any more.
func (s *Shared) Do(ctx context.Context, cmd redis.Cmder) error {
	if err := s.group.Write(ctx, asked{ctx: ctx, cmd: cmd}); err != nil {
		return err
	}
	return cmd.Err()
}

// DoAll sends cmds as one transaction: all are done or none, and nothing of others between
// them. It returns the first error of any. Their results are not read.
func (s *Shared) DoAll(ctx context.Context, cmds ...redis.Cmder) error {
	ahead, exec := []redis.Cmder{redis.NewStatusCmd(ctx, "multi")}, redis.NewSliceCmd(ctx, "exec")
	for _, cmd := range cmds {
		ahead = append(ahead, redis.NewStatusCmd(ctx, cmd.Args()...)) // is answered that it is queued
	}
	if err := s.group.Write(ctx, asked{ctx, ahead, exec}); err != nil {
		return err
	}
	for _, cmd := range ahead { // what is refused here says more than that nothing was done
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	for _, result := range exec.Val() {
		if err, failed := result.(error); failed {
			return err
		}
	}
	return exec.Err()
}

// EvalSha implements [redis.Scripter], so that a [redis.Script] may be run.
func (s *Shared) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	words := make([]any, 0, 3+len(keys)+len(args))
	words = append(words, "evalsha", sha1, len(keys))
	for _, key := range keys {
		words = append(words, key)
	}
	cmd := redis.NewCmd(ctx, append(words, args...)...)
	if err := s.group.Write(ctx, asked{ctx: ctx, cmd: cmd}); err != nil {
		cmd = redis.NewCmd(ctx)
		cmd.SetErr(err)
	}
	return cmd
}

// send leaves each command its own error, and out what nobody waits for any more.
func (s *Shared) send(ctx context.Context, all []asked) error {
	cmds := make([]redis.Cmder, 0, len(all))
	for _, a := range all {
		if err := a.ctx.Err(); err != nil {
			a.cmd.SetErr(err)
			continue
		}
		cmds = append(append(cmds, a.ahead...), a.cmd)
	}
	if len(cmds) == 1 {
		_ = s.client.Process(ctx, cmds[0])
		return nil
	}
	pipe := s.client.Pipeline()
	_ = pipe.BatchProcess(ctx, cmds...)
	_, _ = pipe.Exec(ctx) // of none it does nothing
	return nil
}
