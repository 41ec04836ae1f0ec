package rpc

import "strings"

// maxStack is how many call ids travel; the oldest fall off, as in Nameko.
const maxStack = 11

// callIDs are ids of calls as a type has them: escaped, with a comma between two, the
// latest last. Most handlers send nothing, and nobody takes them apart for those.
type callIDs string

// callIDsOf reads the header of a stack. What is no text is left out.
func callIDsOf(header any) (ids callIDs) {
	list, _ := header.([]any)
	for _, item := range list[max(0, len(list)-maxStack):] {
		if id := text(item); id != "" {
			ids = ids.with(id)
		}
	}
	return ids
}

// with returns ids and id.
func (ids callIDs) with(id string) callIDs {
	if ids == "" {
		return callIDs(escaped(id))
	}
	return (ids + "," + callIDs(escaped(id))).last(maxStack)
}

// last returns the n latest ids.
func (ids callIDs) last(n int) callIDs {
	from := len(ids)
	for range n {
		if from = strings.LastIndexByte(string(ids[:from]), ','); from < 0 {
			return ids
		}
	}
	return ids[from+1:]
}

// header returns ids as an AMQP array.
func (ids callIDs) header() []any {
	list := make([]any, 0, 1+strings.Count(string(ids), ","))
	for id := range strings.SplitSeq(string(ids), ",") {
		if id = unescaped(id); id != "" {
			list = append(list, id)
		}
	}
	return list
}
