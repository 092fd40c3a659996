export declare function columnsOf(text: string): number
export declare function cutToColumns(text: string, limit: number): string
