-- A stand-in for the Lua interface of a darktable with a window, of any version; strict: names that are not here are errors.
-- Usage: lua darktable_stub.lua PLUGIN VERSION FOLDER PICTURE [GONE]
-- Loads the plugin, colours one picture by its action, takes the plugin out, and tells what happened.
-- GONE is a property of images that this version has no more.

local plugin, version, folder, picture, gone = table.unpack(arg)
local registered, preferences = {}, {}

local function strict(what, fields)
  return setmetatable(fields, { __index = function(_, name) error(what .. " has no " .. tostring(name), 2) end })
end

local function nothing() end

local function register(kind)
  return function(name) registered[kind .. " " .. name] = true end
end

local function destroy(kind)
  return function(name)
    assert(registered[kind .. " " .. name], kind .. " " .. name .. " was not registered")
    registered[kind .. " " .. name] = nil
  end
end

local function told_registered()
  local names = {}
  for name in pairs(registered) do table.insert(names, name) end
  table.sort(names)
  print("registered: " .. table.concat(names, ", "))
end

local function new_image(path)
  local self = {
    path = path:match("^(.*)/[^/]*$"), filename = path:match("[^/]*$"), duplicate_index = 0, rating = 0, red = false,
    yellow = false, green = false, blue = false, purple = false, title = "", description = "", creator = "",
    publisher = "", rights = "", notes = "", latitude = 0, longitude = 0, elevation = 0, group_with = nothing,
    make_group_leader = nothing,
  }
  self.group_leader = self
  if gone then self[gone] = nil end
  return setmetatable(self, {
    __index = function(_, name) error("dt_lua_image_t has no " .. name, 2) end,
    __newindex = function(_, name) error("dt_lua_image_t has no " .. name, 2) end,
  })
end

local major, minor, patch = version:match("^(%d+)%.(%d+)%.(%d+)$")

package.loaded.darktable = strict("darktable", {
  configuration = strict("configuration", {
    api_version_major = tonumber(major), api_version_minor = tonumber(minor),
    api_version_patch = tonumber(patch), api_version_string = version, has_gui = true, running_os = "linux",
    config_dir = folder, cache_dir = folder,
  }),
  gettext = strict("gettext", { bindtextdomain = nothing, dgettext = function(_, text) return text end }),
  preferences = strict("preferences", {
    register = function(_, name, kind, label, tooltip, default) preferences[name] = default end,
    read = function(_, name) return preferences[name] end,
  }),
  control = strict("control", { ending = false, read = nothing }),
  database = strict("database", { import = new_image }),
  tags = strict("tags", {
    get_tags = function() return { { name = "people|grandma" } } end,
    attach = function(tag, image) print("attached: " .. tag.name .. " to " .. image.filename) end,
    create = function(name) return { name = name } end,
  }),
  gui = strict("gui", {
    libs = strict("libs", { image = strict("image", {
      register_action = register("action"), destroy_action = destroy("action"),
    }) }),
    create_job = function() return strict("job", { valid = true, percent = 0 }) end,
  }),
  new_format = function()
    return strict("format", { extension = "png", write_image = function(_, image, path)
      local source, target = io.open(image.path .. "/" .. image.filename, "rb"), io.open(path, "wb")
      target:write(source:read("a"))
      source:close()
      target:close()
    end })
  end,
  register_storage = register("storage"), destroy_storage = destroy("storage"),
  register_event = function(name, event) register("event " .. event)(name) end,
  destroy_event = function(name, event) destroy("event " .. event)(name) end,
  print = print, print_log = nothing,
})

local loaded, script = pcall(dofile, plugin)
if not loaded then
  print("refused: " .. script)
  return
end
told_registered()
local image = new_image(picture)
image.rating = 4
local run = script.colorize_images({ image })
print("result: " .. run.results[1].filename .. " " .. run.results[1].rating)
script.destroy()
told_registered()
