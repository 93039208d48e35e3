-- One load of the hit bench. LOAD=one: one URI; LOAD=zipf: 10,000 URIs by Zipf(1.0), heads of about 400 bytes as
-- browsers and GitHub's camo send them. Requests are made before the clock starts. LOAD=list: every URI once (warming).
local load = os.getenv("LOAD") or "one"
local host = os.getenv("BENCH_HOST") or "badges.example"
local URIS, DRAWS = tonumber(os.getenv("URIS") or 10000), 65536

local function uri(i) return "/version/package-" .. i .. "/badge.svg?style=flat" end
local function head(target, lines)
  return "GET " .. target .. " HTTP/1.1\r\nHost: " .. host .. "\r\n" .. lines .. "\r\n"
end

local camo = "User-Agent: github-camo (876de43e)\r\nAccept: image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5\r\n" ..
  "Accept-Encoding: gzip\r\nVia: 1.1 varnish, 1.1 varnish\r\nX-Forwarded-Proto: https\r\nX-Github-Request-Id: 7F2A:3C51:11B2E:1A9C7:692B5A10\r\n" ..
  "X-Fastly-Client-Ip: 203.0.113.77\r\nCdn-Loop: Fastly\r\nFastly-Ff: wWvKq1zdwmdw!FRA!cache-fra-etou8220101\r\nX-Timer: S1763963898.120931\r\n"
local function browser(agent, language)
  return "User-Agent: " .. agent .. "\r\nAccept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n" ..
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: " .. language .. "\r\nReferer: https://pypi.org/project/requests/\r\n" ..
    "Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: no-cors\r\n"
end
local kinds = {
  camo, camo, camo, camo, camo, camo,
  browser("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "en-GB,en;q=0.7"),
  browser("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36", "de-DE,de;q=0.9"),
  browser("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15", "fr"),
  browser("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36", "ja,en;q=0.5"),
}

local requests, at = {}, 0
if load == "one" then
  requests[1] = head(uri(1), "User-Agent: wrk\r\n")
elseif load == "conditional" then
  requests[1] = head(uri(1), 'User-Agent: wrk\r\nIf-None-Match: "0123456789abcdef"\r\n')
elseif load == "shield" then
  for i = 1, 1000 do requests[i] = head("/license/package-" .. i .. "/badge.svg?style=flat", "User-Agent: wrk\r\n") end
elseif load == "list" then
  for i = 1, URIS do requests[i] = head(uri(i), camo) end
elseif load == "miss" then
  local salt = os.getenv("SALT") or tostring(os.time())
  for i = 1, 400000 do requests[i] = head("/version/m-" .. salt .. "-" .. i .. "/badge.svg?style=flat", camo) end
else
  math.randomseed(20251124)
  local sums, total = {}, 0
  for i = 1, URIS do total = total + 1 / i; sums[i] = total end
  for n = 1, DRAWS do
    local x, low, high = math.random() * total, 1, URIS
    while low < high do
      local middle = math.floor((low + high) / 2)
      if sums[middle] < x then low = middle + 1 else high = middle end
    end
    requests[n] = head(uri(low), kinds[math.random(#kinds)])
  end
end
local count = #requests

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\nRESULT {"requests":%d,"seconds":%.6f,"p50":%d,"p99":%d,"p999":%d,"max":%d,"bytes":%d,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
    summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
