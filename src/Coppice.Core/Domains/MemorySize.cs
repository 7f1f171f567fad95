using System.Globalization;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>A number of bytes with a unit (libvirt formatdomain, <c>&lt;memory unit=&gt;</c>); KiB if none is given.</summary>
internal static class MemorySize
{
    private const string Letters = "kmgtpe";

    /// <summary>Reads a size; null if it is missing.</summary>
    /// <exception cref="CoppiceException">No number, no such unit, zero, or more than a computer can have.</exception>
    public static ByteCount? Read(XElement? place)
    {
        if (place is null)
        {
            return null;
        }

        if (!ulong.TryParse(place.Value.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            throw place.Refuse($"'{place.Shown()}' is not a size", "write a whole number, and its unit in unit=");
        }

        var bytes = (UInt128)number * Factor(place);
        return bytes switch
        {
            _ when bytes == 0 => throw place.Refuse("the size is zero", "give it at least one KiB"),
            _ when bytes > long.MaxValue / 2 => throw place.Refuse("the size is larger than any computer", "check number and unit"),
            _ => new ByteCount((long)bytes),
        };
    }

    /// <summary>Writes a size, in KiB where it is a whole number of them.</summary>
    public static XElement Write(string name, ByteCount size) => size.Bytes % 1024 == 0
        ? new XElement(name, new XAttribute("unit", "KiB"), size.Bytes / 1024)
        : new XElement(name, new XAttribute("unit", "bytes"), size.Bytes);

    private static ulong Factor(XElement place)
    {
        var attribute = place.Attribute("unit");
        var unit = attribute?.Value.ToLowerInvariant() ?? "kib";
        if (unit is "b" or "byte" or "bytes")
        {
            return 1;
        }

        var power = unit.Length == 0 ? 0 : Letters.IndexOf(unit[0], StringComparison.Ordinal) + 1;
        var step = unit.Length == 0 ? "" : unit[1..];
        return (power, step) switch
        {
            ( > 0, "" or "ib") => Power(1024, power),
            ( > 0, "b") => Power(1000, power),
            _ => throw attribute!.Refuse($"'{attribute!.Shown()}' is not a unit", "use KiB, MiB or GiB"),
        };
    }

    private static ulong Power(ulong step, int power) => power == 0 ? 1 : step * Power(step, power - 1);
}
