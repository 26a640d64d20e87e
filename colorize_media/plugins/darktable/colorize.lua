--[[
  colorize: black-and-white photographs in colour, with colorize-media

  MIT License. Part of colorize-media (docs/darktable.md); installed by: colorize-media plugin install darktable

  USAGE
    - select pictures and press "colorize" in the module "selected image(s)" of the lighttable, or its shortcut
      (preferences > shortcuts > lua), or
    - export with the target storage "colorize".
    The result is <name>_colorized.<extension> beside the original, imported, with its tags, rating, colour labels,
    title and place, tagged "colorized", and in one group with it. What has colour already is left alone.

  PREFERENCES (preferences > Lua options)
    the colorize-media program, vividness, suffix of the name, format of the file, tag, pictures that have colour

  This file knows nothing of colour. It exports, hands the files to `colorize-media --host-batch` and imports the results.
]]

local dt = require "darktable"

local MODULE = "colorize"
local COMMAND = "colorize-media"  -- the installer writes the full path here
local MOST_TEMPORARY = 50  -- pictures that are exported before they are coloured; the network is loaded once for them
local MOST_REASONS = 5     -- lines of the message at the end

if dt.configuration.api_version_major < 9 then
  error(MODULE .. ": needs darktable 4.2 (Lua API 9.0) or later, this is API " .. dt.configuration.api_version_string)
end

dt.gettext.bindtextdomain(MODULE, dt.configuration.config_dir .. "/lua/locale/")

local function _(text)
  return dt.gettext.dgettext(MODULE, text)
end

local WINDOWS = dt.configuration.running_os == "windows"
local SEPARATOR = WINDOWS and "\\" or "/"
-- Formats that the colorizer reads, with the settings that lose the least.
local FORMATS = { jpeg = { quality = 95 }, tiff = { bpp = 16 }, png = { bpp = 16 } }
local READABLE = { jpeg = true, tiff = true, png = true, webp = true, avif = true, j2k = true }

local script_data = {}

script_data.metadata = {
  name = _("colorize"),
  purpose = _("black-and-white photographs in colour"),
  author = "colorize-media",
  help = "colorize-media plugin status"
}

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- preferences

local PREFERENCES = {
  command = { "file", _("colorize: the colorize-media program"),
    _("where colorize-media is installed; empty: where it was when this plugin was installed"), "" },
  vividness = { "float", _("colorize: vividness"), _("0 is grey, 1 the default, 2 the most colour"), 1.0, 0.0, 2.0, 0.1 },
  suffix = { "string", _("colorize: suffix"), _("goes between the original's name and the extension"), "_colorized" },
  format = { "enum", _("colorize: format"),
    _("of coloured selected images; the export storage uses the format chosen there"), "jpeg", "jpeg", "tiff", "png" },
  tag = { "string", _("colorize: tag"), _("is attached to the results; empty: none"), "colorized" },
  force = { "bool", _("colorize: colour pictures that have colour"), _("also colour what is in colour already"), false },
}

-- Without a window they cannot be registered: darktable 4.2.1 waits for ever.
if dt.configuration.has_gui then
  for _, name in ipairs({ "force", "tag", "format", "suffix", "vividness", "command" }) do  -- shown the last one first
    dt.preferences.register(MODULE, name, table.unpack(PREFERENCES[name]))
  end
end

local function preference(name)
  local kind, default = PREFERENCES[name][1], PREFERENCES[name][4]
  local value = dt.preferences.read(MODULE, name, kind)
  if not dt.configuration.has_gui and (value == "" or value == 0) then return default end  -- not registered, not set
  return value
end

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- JSON lines

local function json_string(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

-- Whatever json.dumps of Python writes, without exotic numbers. nil for anything else.
local function json_decode(text)
  local position = 1
  local value

  local function take(pattern)
    local first, last, found = text:find("^%s*" .. pattern, position)
    if first then position = last + 1 end
    return found
  end

  local function text_of(raw)
    local high
    return (raw:gsub("\\(u?)(.)(%x?%x?%x?)", function(u, first, rest)
      if u == "" then
        return (({ n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" })[first] or first) .. rest
      end
      local code = tonumber(first .. rest, 16)
      if code >= 0xD800 and code < 0xDC00 then high = code return "" end
      if code >= 0xDC00 and code < 0xE000 then
        -- A low half alone is a byte of a name that is no UTF-8.
        if not high then return string.char(code & 0xFF) end
        code, high = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00), nil
      end
      return utf8.char(code)
    end))
  end

  local function string_at()
    if not take('(")') then return nil end
    local start = position
    while position <= #text do
      local c = text:sub(position, position)
      if c == '"' then
        position = position + 1
        return text_of(text:sub(start, position - 2))
      end
      position = position + (c == "\\" and 2 or 1)
    end
    error("open string")
  end

  local function object()
    local found = {}
    if take("(})") then return found end
    repeat
      local name = string_at() or error("no name")
      if not take("(:)") then error("no colon") end
      found[name] = value()
    until not take("(,)")
    return take("(})") and found or error("open object")
  end

  local function array()
    local found = {}
    if take("(%])") then return found end
    repeat
      found[#found + 1] = value()
    until not take("(,)")
    return take("(%])") and found or error("open array")
  end

  value = function()
    if take("({)") then return object() end
    if take("(%[)") then return array() end
    local found = string_at()
    if found then return found end
    local word = take("([%w%.%+%-]+)")
    if word == "true" then return true elseif word == "false" then return false elseif word == "null" then return nil end
    return tonumber(word) or error("no value")
  end

  local good, found = pcall(value)
  return good and type(found) == "table" and found or nil
end

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- files

local function quoted(word)
  if WINDOWS then return '"' .. word:gsub('"', '') .. '"' end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function stem_and_extension(filename)
  local stem, extension = filename:match("^(.+)(%.[^%.]*)$")
  return stem or filename, extension or ""
end

-- A name that neither a file nor another result of this run has.
local function unique(folder, stem, extension, taken)
  local path, number = folder .. SEPARATOR .. stem .. extension, 0
  while taken[path] or exists(path) do
    number = number + 1
    path = string.format("%s%s%s_%02d%s", folder, SEPARATOR, stem, number, extension)
  end
  taken[path] = true
  return path
end

local function shown_stem(image)
  local stem = stem_and_extension(image.filename)
  if image.duplicate_index > 0 then stem = string.format("%s_%02d", stem, image.duplicate_index) end
  return stem
end

local function output_of(image, source, taken)
  local suffix = preference("suffix"):gsub('[%c/\\:%*%?"<>|]', "_")
  if suffix == "" then suffix = "_colorized" end
  local _, extension = stem_and_extension(source)
  return unique(image.path, shown_stem(image) .. suffix, extension, taken)
end

-- In the cache folder: other users cannot read it, and a sandboxed darktable shares it with the system.
local function temporary_folder()
  for _ = 1, 100 do
    local name = string.format("%s_%d_%06d", MODULE, os.time(), math.random(0, 999999))
    local folder = dt.configuration.cache_dir .. SEPARATOR .. name
    if os.execute("mkdir " .. quoted(folder)) then return folder end
  end
  error(MODULE .. ": cannot make a folder in " .. dt.configuration.cache_dir)
end

local function move(from, to)
  if os.rename(from, to) then return true end
  local source, target = io.open(from, "rb"), io.open(to, "wb")  -- another file system
  local good = source and target and target:write(source:read("a")) and target:flush()
  if source then source:close() end
  if target then target:close() end
  os.remove(from)
  return good and true or false
end

local function remove_folder(folder, files)
  for _, path in ipairs(files) do os.remove(path) end
  if not os.remove(folder) then os.execute("rmdir " .. quoted(folder)) end
end

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- the colorizer

local SANDBOX = os.getenv("FLATPAK_ID") and "flatpak-spawn --host --watch-bus " or ""

local function command()
  local chosen = preference("command")
  return (chosen == nil or chosen == "") and COMMAND or chosen
end

-- nil, or what to tell.
local function missing()
  local path = command()
  if SANDBOX ~= "" or not path:find("[/\\]") or exists(path) then return nil end
  return string.format(_("colorize: %s is not there\nchoose the program in preferences > Lua options\n" ..
    "or run: colorize-media plugin install darktable"), path)
end

local running = {}  -- what ends each run and what takes its files away, for when darktable ends first

local function terminate(pid)
  os.execute(WINDOWS and ("taskkill /F /PID " .. pid .. " >NUL 2>&1") or ("kill " .. pid .. " 2>/dev/null"))
end

-- What is known of the end of a process that did not answer.
local function last_words(log)
  local file = io.open(log, "rb")
  local words = file and file:read("a"):match("([^\r\n]+)%s*$")
  if file then file:close() end
  return words or _("the colorizer ended")
end

-- Ask the colorizer for all items; on_answer(item, answer) is called as each is done. progress.cancelled() is looked at
-- between answers, and progress.on_cancel gets a function that ends the work at once.
local function ask(folder, items, progress, on_answer)
  local requests, log = folder .. SEPARATOR .. "requests.jsonl", folder .. SEPARATOR .. "errors.txt"
  local file = assert(io.open(requests, "wb"))
  local options = string.format('{"vividness":%s,"force":%s}',
    string.format("%.3f", preference("vividness")):gsub(",", "."), tostring(preference("force")))
  for number, item in ipairs(items) do
    file:write(string.format('{"id":%d,"in":%s,"out":%s,"options":%s}\n',
      number, json_string(item.source), json_string(item.output), options))
  end
  file:close()
  local line = string.format("%s%s --host-batch < %s 2> %s", SANDBOX, quoted(command()), quoted(requests), quoted(log))
  -- The shell's number becomes the colorizer's.
  local answers = assert(io.popen(WINDOWS and ('"' .. line .. '"') or ("echo $$; exec " .. line), "r"))
  answers:setvbuf("no")  -- so that waiting for the pipe is waiting for a line
  local pid = not WINDOWS and answers:read("l") or nil
  local ended = false

  local function stop()
    if pid and not ended then terminate(pid) end
  end

  progress.on_cancel(stop)
  running[stop] = function()
    local files = { requests, log }
    for _, item in ipairs(items) do table.insert(files, item.source) end
    remove_folder(folder, files)
  end
  if progress.cancelled() then stop() end
  while true do
    -- Others may use Lua meanwhile. Windows has no such waiting.
    if dt.control.read and not WINDOWS then dt.control.read(answers) end
    local text = answers:read("l")
    if not text then break end
    local answer = json_decode(text)
    if answer and answer.pid and WINDOWS then
      pid = tostring(answer.pid)
      if progress.cancelled() then stop() end
    end
    local item = answer and answer.id and items[answer.id]
    if item then
      item.answered = true
      on_answer(item, answer)
    end
  end
  ended = true
  running[stop] = nil
  answers:close()
  for _, item in ipairs(items) do
    if not item.answered then
      on_answer(item, { status = progress.cancelled() and "cancelled" or "failed", reason = last_words(log) })
    end
  end
  os.remove(requests)
  os.remove(log)
end

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- the library

local COPIED = { "rating", "red", "yellow", "green", "blue", "purple", "title", "description", "creator", "publisher",
  "rights", "notes", "latitude", "longitude", "elevation" }

local function import_beside(image, path)
  local result = dt.database.import(path)
  if not result then return nil end
  for _, name in ipairs(COPIED) do
    pcall(function() if image[name] ~= nil then result[name] = image[name] end end)  -- later darktables may rename some
  end
  for _, tag in ipairs(dt.tags.get_tags(image)) do
    if not tag.name:match("^darktable|") then dt.tags.attach(tag, result) end
  end
  local name = preference("tag")
  if name ~= "" then dt.tags.attach(dt.tags.create(name), result) end
  local leader = image.group_leader or image  -- the original, or who led its group already
  result:group_with(image)
  leader:make_group_leader()
  return result
end

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- a run: counts and reasons, told in one message

local function new_run()
  return { done = 0, skipped = 0, failed = 0, cancelled = 0, reasons = {}, results = {}, taken = {} }
end

local function note(run, image, status, reason)
  run[status] = run[status] + 1
  if reason and reason ~= "" and status ~= "cancelled" then
    table.insert(run.reasons, image.filename .. ": " .. reason)
  end
end

local function message(run)
  local lines = { string.format(_("colorize: %d coloured, %d skipped, %d failed"), run.done, run.skipped, run.failed) }
  if run.cancelled > 0 then lines[1] = lines[1] .. string.format(_(", %d cancelled"), run.cancelled) end
  for number, reason in ipairs(run.reasons) do
    if number > MOST_REASONS then
      table.insert(lines, string.format(_("and %d more"), #run.reasons - MOST_REASONS))
      break
    end
    table.insert(lines, reason)
  end
  return table.concat(lines, "\n")
end

-- Have exported pictures coloured and take the results into the library.
local function color(run, folder, items, progress)
  for _, item in ipairs(items) do
    item.output = output_of(item.image, item.source, run.taken)
  end
  ask(folder, items, progress, function(item, answer)
    local status, reason = answer.status, answer.reason
    if status == "done" then
      local result = exists(item.output) and import_beside(item.image, item.output)
      if result then
        table.insert(run.results, result)
      else
        status, reason = "failed", _("the result could not be imported")
      end
    elseif status ~= "skipped" and status ~= "cancelled" then
      status = "failed"
      if answer.hint and answer.hint ~= "" then reason = reason .. " (" .. answer.hint .. ")" end
    end
    note(run, item.image, status, reason)
    progress.step()
  end)
end

-- A job with a cancel button where there is a window. `steps` is how often step() will be called.
local function new_progress(steps)
  local done, cancelled, on_cancel, job = 0, false, nil, nil
  local progress = {}

  function progress.cancel()
    cancelled = true
    if on_cancel then on_cancel() end
  end

  function progress.cancelled() return cancelled or dt.control.ending end

  function progress.on_cancel(action) on_cancel = action end

  function progress.step()
    done = done + 1
    if job and job.valid then job.percent = math.min(1, done / steps) end
  end

  function progress.finish()
    if job and job.valid then job.valid = false end
  end

  if dt.configuration.has_gui then
    job = dt.gui.create_job(_("colorize"), true, function() progress.cancel() end)
  end
  return progress
end

local function finish(run, progress)
  progress.finish()
  run.message = message(run)
  dt.print(run.message)
  dt.print_log(MODULE .. ": " .. run.message)
  return run
end

-- Colour pictures of the library, as darktable shows them. `progress` is for tests.
local function colorize_images(images, progress)
  local run = new_run()
  local problem = missing()
  if problem or #images == 0 then
    run.failed = #images
    run.message = problem or _("colorize: no image is selected")
    dt.print(run.message)
    return run
  end
  progress = progress or new_progress(2 * #images)
  local kind = preference("format")
  local format = dt.new_format(kind)
  for name, value in pairs(FORMATS[kind]) do
    pcall(function() format[name] = value end)
  end
  for start = 1, #images, MOST_TEMPORARY do
    local folder, items, files, taken = temporary_folder(), {}, {}, {}
    local good, problem_of_run = pcall(function()
      for number = start, math.min(#images, start + MOST_TEMPORARY - 1) do
        local image = images[number]
        if progress.cancelled() then
          note(run, image, "cancelled")
        else
          local path = unique(folder, shown_stem(image), "." .. format.extension, taken)
          table.insert(files, path)
          pcall(function() format:write_image(image, path) end)  -- what it returns changed between versions
          if exists(path) then
            table.insert(items, { image = image, source = path })
          else
            note(run, image, "failed", _("darktable could not export it"))
            progress.step()
          end
        end
        progress.step()
      end
      if #items > 0 then color(run, folder, items, progress) end
    end)
    remove_folder(folder, files)
    if not good then
      progress.finish()
      error(problem_of_run)
    end
  end
  return finish(run, progress)
end

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- the export storage

-- It must not return the images, not even none of them: darktable 4.2.1 frees their list then, and once more at the end.
local function initialize(storage, format, images, high_quality, extra_data)
  extra_data.problem = missing()
  if not extra_data.problem then
    extra_data.items, extra_data.taken, extra_data.folder = {}, {}, temporary_folder()
  end
end

local function store(storage, image, format, filename, number, total, high_quality, extra_data)
  if extra_data.problem then
    os.remove(filename)
    return
  end
  local _, extension = stem_and_extension(filename)
  local path = unique(extra_data.folder, shown_stem(image), extension, extra_data.taken)
  if move(filename, path) then
    table.insert(extra_data.items, { image = image, source = path })
  end
end

local function finalize(storage, image_table, extra_data)
  if extra_data.problem then
    dt.print(extra_data.problem)
    return
  end
  local run, progress, files = new_run(), new_progress(#extra_data.items), {}
  for _, item in ipairs(extra_data.items) do table.insert(files, item.source) end
  local good, problem = pcall(function()
    if #extra_data.items > 0 then color(run, extra_data.folder, extra_data.items, progress) end
  end)
  remove_folder(extra_data.folder, files)
  if not good then
    progress.finish()
    error(problem)
  end
  finish(run, progress)
end

local function supported(storage, format)
  return READABLE[format.plugin_name] or false
end

dt.register_storage("module_" .. MODULE, _("colorize"), store, finalize, supported, initialize)

-- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
-- button and shortcut

if dt.configuration.has_gui then
  dt.gui.libs.image.register_action(MODULE, _("colorize"), function(event, images) colorize_images(images) end,
    _("make coloured copies of black-and-white pictures"))
  dt.register_event(MODULE, "shortcut", function(event, shortcut) colorize_images(dt.gui.action_images) end,
    _("colorize"))
end

dt.register_event(MODULE, "exit", function()
  for stop, remove in pairs(running) do
    stop()
    remove()
  end
end)

function script_data.destroy()
  dt.destroy_storage("module_" .. MODULE)
  dt.destroy_event(MODULE, "exit")
  if dt.configuration.has_gui then
    dt.destroy_event(MODULE, "shortcut")
    dt.gui.libs.image.destroy_action(MODULE)
  end
end

script_data.destroy_method = nil
script_data.restart = nil
script_data.show = nil
script_data.colorize_images = colorize_images
script_data.json_decode = json_decode

return script_data
