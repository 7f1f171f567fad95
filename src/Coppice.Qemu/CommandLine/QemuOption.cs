using System.Globalization;
using System.Text;

namespace Coppice.Qemu.CommandLine;

/// <summary>Writes one argument of QEMU's <c>name,key=value,…</c> kind. A comma within a value is doubled.</summary>
internal sealed class QemuOption(string name)
{
    private readonly StringBuilder _text = new(name);

    /// <summary>Adds a value; null adds nothing.</summary>
    public QemuOption With(string key, string? value)
    {
        if (value is not null)
        {
            _text.Append(',').Append(key).Append('=').Append(value.Replace(",", ",,", StringComparison.Ordinal));
        }

        return this;
    }

    /// <summary>Adds a number; null adds nothing.</summary>
    public QemuOption With(string key, long? value) => With(key, value?.ToString(CultureInfo.InvariantCulture));

    /// <summary>Adds a switch.</summary>
    public QemuOption With(string key, bool value) => With(key, value ? "on" : "off");

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();
}
