-- Sends whole requests in turn: the files that a list names, line by line.
dofile(os.getenv("BENCH_TOLD"))

local contents, requests, turn = {}, {}, 0
for name in io.lines(os.getenv("BENCH_LIST")) do
  if not contents[name] then
    local file = assert(io.open(name, "rb"))
    contents[name] = file:read("*a")
    file:close()
  end
  requests[#requests + 1] = contents[name]
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
