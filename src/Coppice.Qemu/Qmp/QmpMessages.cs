using System.Text.Json;

namespace Coppice.Qemu.Qmp;

/// <summary>Something that QEMU tells without being asked.</summary>
/// <param name="Name">The event, e.g. <c>MIGRATION</c>.</param>
/// <param name="Data">Its data; undefined if it has none.</param>
internal sealed record QmpEvent(string Name, JsonElement Data)
{
    /// <summary>A string among the data; empty if it is not there.</summary>
    public string Text(string property) => Data.TextOrEmpty(property);
}

/// <summary>QEMU refused a command.</summary>
internal sealed class QmpRefusalException(string command, string errorClass, string description)
    : Exception($"{command}: {description}")
{
    /// <summary>The command.</summary>
    public string Command { get; } = command;

    /// <summary>QEMU's class of the error, e.g. <c>CommandNotFound</c>.</summary>
    public string ErrorClass { get; } = errorClass;

    /// <summary>QEMU's own words.</summary>
    public string Description { get; } = description;
}

/// <summary>Reads answers that may be of any shape.</summary>
internal static class QmpElements
{
    extension(JsonElement element)
    {
        /// <summary>A property of an object; null if the element is none or has it not.</summary>
        public JsonElement? Find(string property) =>
            element.ValueKind == JsonValueKind.Object && element.TryGetProperty(property, out var value) ? value : null;

        /// <summary>A string property; empty if it is not there.</summary>
        public string TextOrEmpty(string property) =>
            element.Find(property) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

        /// <summary>A number property; 0 if it is not there.</summary>
        public long NumberOrZero(string property) =>
            element.Find(property) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : 0;

        /// <summary>A property that is true; false if it is not there.</summary>
        public bool IsTrue(string property) => element.Find(property) is { ValueKind: JsonValueKind.True };

        /// <summary>The items of an array; none if it is no array.</summary>
        public IEnumerable<JsonElement> Items() =>
            element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : [];
    }
}
