import { createHash } from 'node:crypto'

/**
 * Takes of a limit in one step, by Redis' own clock, so that all mixers count as one.
 * KEYS: the count; who asked before, or the count again where nobody said who asks.
 * ARGV: wanted; 1 where less is welcome; the limit; window in ms, 0 for none; bucket in ms, 0 for a fixed window; how long it is
 * remembered who asked, 0 for not at all. Returns granted, used, and after how many ms something comes back.
 */
export const TAKE_SCRIPT = `
local wanted, best, max = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
local window, bucket, remember = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if remember > 0 then
  local before = redis.call('GET', KEYS[2])
  if before then return cjson.decode(before) end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local used, oldest, slots = 0, nil, 0
local newest = 0
if bucket > 0 then
  newest = math.floor(now / bucket)
  slots = math.ceil(window / bucket) + 1
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local slot, amount = tonumber(all[i]), tonumber(all[i + 1])
    if newest - slot >= slots then
      redis.call('HDEL', KEYS[1], all[i])
    else
      used = used + amount
      if oldest == nil or slot < oldest then oldest = slot end
    end
  end
else
  used = tonumber(redis.call('GET', KEYS[1]) or '0')
end
local granted = 0
if wanted <= max - used then granted = wanted
elseif best then granted = math.max(0, max - used) end
if granted > 0 then
  if bucket > 0 then
    redis.call('HINCRBY', KEYS[1], string.format('%d', newest), granted)
    redis.call('PEXPIRE', KEYS[1], window + 2 * bucket)
    if oldest == nil then oldest = newest end
  else
    redis.call('INCRBY', KEYS[1], granted)
    if used == 0 and window > 0 then redis.call('PEXPIRE', KEYS[1], window) end
  end
  used = used + granted
end
local reset = 0
if bucket > 0 then
  if oldest ~= nil then reset = (oldest + slots) * bucket - now end
else
  reset = math.max(0, redis.call('PTTL', KEYS[1]))
end
local answer = {granted, used, math.floor(reset)}
if remember > 0 then redis.call('SET', KEYS[2], cjson.encode(answer), 'PX', remember) end
return answer
`

export const TAKE_SHA = createHash('sha1').update(TAKE_SCRIPT).digest('hex')
