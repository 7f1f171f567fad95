using System.Globalization;
using System.Text.Json.Nodes;

namespace Coppice.Qemu.CommandLine;

/// <summary>
/// What QEMU takes as <c>name,key=value,…</c> on its command line, and for devices as an object on its monitor.
/// </summary>
internal sealed class QemuOption(string name)
{
    private readonly List<(string Key, JsonValue Value)> _values = [];

    /// <summary>Adds a value; null adds nothing.</summary>
    public QemuOption With(string key, string? value) => value is null ? this : Add(key, JsonValue.Create(value));

    /// <summary>Adds a number; null adds nothing.</summary>
    public QemuOption With(string key, long? value) => value is { } number ? Add(key, JsonValue.Create(number)) : this;

    /// <summary>Adds a switch.</summary>
    public QemuOption With(string key, bool value) => Add(key, JsonValue.Create(value));

    /// <summary>The device as <c>device_add</c> takes it: every value with its type, which newer versions insist on.</summary>
    public JsonObject ToDevice()
    {
        var device = new JsonObject { ["driver"] = name };
        foreach (var (key, value) in _values)
        {
            device[key] = value.DeepClone();
        }

        return device;
    }

    /// <summary>The command line's form. A comma within a value is doubled.</summary>
    public override string ToString() => string.Concat([name, .. _values.Select(v => $",{v.Key}={Text(v.Value)}")]);

    private QemuOption Add(string key, JsonValue value)
    {
        _values.Add((key, value));
        return this;
    }

    private static string Text(JsonValue value) => value switch
    {
        _ when value.TryGetValue<bool>(out var on) => on ? "on" : "off",
        _ when value.TryGetValue<long>(out var number) => number.ToString(CultureInfo.InvariantCulture),
        _ => value.GetValue<string>().Replace(",", ",,", StringComparison.Ordinal),
    };
}
